package warehouse

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden files are what a reviewer reads: a change of a table or of a view
// shows there, in every dialect.
func TestEachDialectPrintsItsGoldenFile(t *testing.T) {
	t.Parallel()
	for _, dialect := range Dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			location := "s3://acme-lake/finoos?region=eu-central-1"
			if dialect == "bigquery" {
				location = "gs://acme-lake/finoos"
			}
			var b strings.Builder
			if err := Write(&b, Options{Dialect: dialect, Location: location}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", dialect+".sql")
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("run the test with -update and read what changes (-golden +now):\n%s", diff)
			}
		})
	}
}
