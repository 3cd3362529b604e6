package joined

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/finoos"
)

// views know which fields that no column holds the endpoints have: those of
// transactions, and those that stand beside tags. In the one answer they stand
// together.
type views struct {
	transactions, tags map[string]bool
	made               *finoos.JoinedView
}

// learn takes in the names that two endpoints have had.
func (v *views) learn(tags, transactions []string) {
	if v.transactions == nil {
		v.transactions, v.tags = map[string]bool{}, map[string]bool{}
	}
	before := len(v.transactions) + len(v.tags)
	for _, name := range transactions {
		v.transactions[name] = true
	}
	for _, name := range tags {
		v.tags[name] = true
	}
	if len(v.transactions)+len(v.tags) != before {
		v.made = nil
	}
}

// view leaves to the transactions what is theirs, and to the tags.
func (v *views) view() *finoos.JoinedView {
	if v.made == nil {
		v.made = viewOf(v.tags, v.transactions)
	}
	return v.made
}

func viewOf(tags, transactions map[string]bool) *finoos.JoinedView {
	return finoos.NewJoinedView(only(tags, transactions), only(transactions, tags))
}

// only are the names of one that the other has not: so many as can be told apart.
func only(one, other map[string]bool) []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(one)), func(name string) bool { return other[name] })
	return names[:min(len(names), finoos.MaxViewed)]
}

// know says that each of these names is known to one of the two.
func (v *views) know(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !v.transactions[name] && !v.tags[name] })
}

// namesIn adds the names of the fields that no column holds.
func namesIn(extra string, names map[string]bool) error {
	if extra == "" {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(extra), &fields); err != nil {
		return &finoos.NotJoinedError{Why: finoos.JoinedUnreadable}
	}
	for name := range fields {
		names[strings.ToLower(name)] = true
	}
	return nil
}
