package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// masks says what the tables will hide. Whether that is right, nobody but the operator
// knows; what it costs is said here.
func (d *doctor) masks() {
	const what = "mask"
	masking, err := d.job.Masking()
	switch {
	case err != nil || masking == nil: // the loader has refused the one
		d.note(what, "see mask in docs/operators.md, \"Personal data\"", "nothing is hidden: names, account numbers and texts of bookings are written as the API tells them")
		return
	case len(masking.Key) == 0:
		d.warn(what, "set mask_key: openssl rand -hex 32", "%s; without a mask_key, changes of what is dropped are not found, and shards list the users each for itself where something of users is", d.hidden())
		return
	}
	d.ok(what, "%s; what is remembered of these is sealed with mask_key (never shown)", d.hidden())
	d.note(what, "keep it as you keep the lake", "another mask_key, or one that is lost, means that what it concerns is read in full again; of user_id it means a new lake")
}

// hidden lists what is hidden, by table.
func (d *doctor) hidden() string {
	var tables []string
	for _, t := range slices.Sorted(maps.Keys(d.job.Mask)) {
		var columns []string
		for _, c := range slices.Sorted(maps.Keys(d.job.Mask[t])) {
			columns = append(columns, c+" "+d.job.Mask[t][c])
		}
		if len(columns) > 0 {
			tables = append(tables, fmt.Sprintf("%s (%s)", t, strings.Join(columns, ", ")))
		}
	}
	return "hidden in " + strings.Join(tables, ", ")
}
