package e2e

import (
	"go/token"
	"go/types"
	"maps"
	"slices"
	"testing"
)

// Whoever looks a type up by its name shall find one. Exported ones stand behind
// their package's name everywhere else, and may be the same thing on both sides
// of it: finoos.Account and table.Account.
func TestNoTwoPackagesHaveATypeOfOneName(t *testing.T) {
	t.Parallel()
	places := map[string][]string{}
	for _, p := range repoPackages(t) {
		p.named(func(n *types.Named) {
			if name := n.Obj().Name(); !token.IsExported(name) {
				places[name] = append(places[name], p.fset.Position(n.Obj().Pos()).String())
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		if len(places[name]) > 1 {
			t.Errorf("type %s stands in %v", name, places[name])
		}
	}
}
