package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/trouble"
)

// WaitedText says what was waited for, the longest first; empty where it was nothing.
func (r *Report) WaitedText() string {
	kinds := slices.SortedFunc(maps.Keys(r.Waited), func(a, b trouble.Kind) int {
		return cmp.Or(cmp.Compare(r.Waited[b].Seconds, r.Waited[a].Seconds), cmp.Compare(a, b))
	})
	parts := make([]string, 0, len(kinds))
	for _, k := range kinds {
		n := r.Waited[k]
		text := fmt.Sprintf("%s, %s", cmp.Or(k.Short(), string(k)), human.Seconds(n.Seconds))
		var also []string
		if n.Times > 1 {
			also = append(also, human.Count(n.Times)+" times")
		}
		if n.Tries > 0 {
			also = append(also, human.Count(n.Tries)+" failed")
		}
		if len(also) > 0 {
			text += " (" + strings.Join(also, ", ") + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
