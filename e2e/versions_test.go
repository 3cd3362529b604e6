package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// required is a line of a go.mod.
var required = regexp.MustCompile(`(?m)^(?:require )?\t?(\S+) (v\S+)( // indirect)?$`)

// versions are those that a go.mod requires: directly, or all of them.
func versions(t *testing.T, folder string, indirect bool) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range required.FindAllSubmatch(text, -1) {
		if indirect || len(m[3]) == 0 {
			found[string(m[1])] = string(m[2])
		}
	}
	return found
}

// DuckDB comes with requirements of its own, which raise those of the modules
// that link it: then something else would be tested and measured than is built.
func TestWhatIsTestedAndMeasuredIsWhatIsBuilt(t *testing.T) {
	t.Parallel()
	built := versions(t, "..", false)
	compared := 0
	for _, folder := range []string{".", filepath.Join("..", "bench")} {
		there := versions(t, folder, true)
		for module, version := range built {
			if got, used := there[module]; used && got != version {
				t.Errorf("%s/go.mod has %s %s, the product %s: raise the product's", folder, module, got, version)
			} else if used {
				compared++
			}
		}
	}
	if compared < 20 {
		t.Errorf("%d requirements compared: the files look different", compared)
	}
}
