package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/config"
)

// First is how accounts, transactions and tags were read of users of whom at least two
// of these were due in full: by one request, or from their endpoints.
type First struct {
	Mode string `json:"mode"` // joined or separate, as the run ended
	Why  string `json:"why,omitempty"`
	// Pulls are users who could have been read by one request. Joined ones were; Compared
	// ones were read both ways, and both were Equal, or Differed; of Unclear ones the
	// comparison came to no end, or their analyses have moved meanwhile.
	Pulls    int64 `json:"pulls"`
	Joined   int64 `json:"joined"`
	Compared int64 `json:"compared"`
	Equal    int64 `json:"equal"`
	Differed int64 `json:"differed"`
	Unclear  int64 `json:"unclear,omitempty"`
	// FellBack users were read from the endpoints since the one answer could not be had
	// or not be used, by why.
	FellBack map[string]int64 `json:"fell_back,omitempty"`
	// Without are the streams that are read from their endpoints, and the fields in which
	// the one answer differed.
	Without map[config.Stream][]string `json:"without,omitempty"`
	// InDoubt users were read by one request before it differed: they are read again by
	// the next run.
	InDoubt int64 `json:"in_doubt,omitempty"`
}

// Text says how users were read, why, and how that went.
func (f *First) Text() string {
	var text strings.Builder
	text.WriteString(f.Mode)
	for _, c := range []struct {
		n    int64
		what string
	}{{f.Joined, "by one request"}, {f.Compared, "compared"}, {f.Differed, "differed"}, {f.Unclear, "unclear"}, {f.InDoubt, "in doubt"}} {
		if c.n > 0 {
			fmt.Fprintf(&text, ", %s %s", human.Count(c.n), c.what)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(f.FellBack)) {
		fmt.Fprintf(&text, ", %s fell back (%s)", human.Count(f.FellBack[why]), why)
	}
	if f.Why != "" {
		return text.String() + " (" + f.Why + ")"
	}
	for _, s := range config.Streams() {
		if fields, without := f.Without[s]; without {
			fmt.Fprintf(&text, ", without %s (%s)", s, strings.Join(fields, ", "))
		}
	}
	return text.String()
}
