package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documentedTable is a row of a table of tables.
type documentedTable struct {
	Name    string
	Key     []string
	Columns []string // without what is said of them
}

// documentedTables reads the tables that a section of a document lists.
func documentedTables(t *testing.T, name, section string) (all []documentedTable) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	remark := regexp.MustCompile(` \([^)]*\)| list\b`)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+(?:_[a-z]+)*)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(text, -1) {
		all = append(all, documentedTable{row[1], strings.Split(row[2], ", "), strings.Split(remark.ReplaceAllString(row[3], ""), ", ")})
	}
	slices.SortFunc(all, func(a, b documentedTable) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// schema_test.go has the tables a second time, by hand, and lakes are held to
// it; so are the documents, in which people read them.
func TestTheDocumentsHaveEveryTableWithItsKeyAndColumns(t *testing.T) {
	t.Parallel()
	var want []documentedTable
	for _, tb := range tables {
		d := documentedTable{Name: tb.name, Key: tb.key}
		for _, c := range tb.columns {
			d.Columns = append(d.Columns, c.Name)
		}
		want = append(want, d)
	}
	slices.SortFunc(want, func(a, b documentedTable) int { return strings.Compare(a.Name, b.Name) })
	if diff := cmp.Diff(want, documentedTables(t, "design.md", "Tables")); diff != "" {
		t.Errorf("docs/design.md (-want +got):\n%s", diff)
	}
	loose := documentedTables(t, "warehouse.md", "The tables")
	for i := range loose {
		loose[i].Columns = nil // what a row is
	}
	for i := range want {
		want[i].Columns = nil
	}
	if diff := cmp.Diff(want, loose); diff != "" {
		t.Errorf("docs/warehouse.md (-want +got):\n%s", diff)
	}
}
