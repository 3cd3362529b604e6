package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheDemoLeavesALakeThatItsQueriesCanRead(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	c := start(t, home, nil, "demo")
	if code := c.wait(t); code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, &c.stdout, &c.stderr)
	}
	l := openLake(t, filepath.Join(home, "lake"))
	if diff := l.schemaDiff(t); diff != "" {
		t.Error(diff)
	}
	l.checkRowsOnce(t)
	l.checkMeta(t)
	if n := l.count(t, "SELECT count(DISTINCT _run_id) FROM pulls"); n != nights {
		t.Errorf("%d nights are in the lake, want %d", n, nights)
	}

	_, pasted, found := strings.Cut(c.stdout.String(), "Paste into DuckDB")
	queries := statements.FindAllString(pasted, -1)
	if !found || len(queries) < 2 {
		t.Fatalf("the demo offers %d queries\n%s", len(queries), &c.stdout)
	}
	for _, q := range queries {
		if rows := l.query(t, selectText(l.here(q))); len(rows) == 0 {
			t.Errorf("a query that the demo offers finds nothing:\n%s", q)
		}
	}
}

func TestTheViewInTheReadmeIsTheCurrentState(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if code := start(t, home, nil, "demo").wait(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```sql\nCREATE VIEW contracts AS\n")
	view, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README shows no view of the current contracts")
	}
	l := openLake(t, filepath.Join(home, "lake"))
	tb := tableNamed("contracts")
	l.exec(t, "CREATE VIEW documented AS "+l.here(view))
	documented := l.query(t, "SELECT "+selectList(tb.withExtra())+" FROM documented")
	if compare(t, tb, l.current(t, tb), documented) == 0 {
		t.Error("there are no contracts: nothing is shown")
	}
}

// statements finds SQL that begins a line and ends with a semicolon.
var statements = regexp.MustCompile(`(?ms)^(WITH|SELECT)\b.*?;$`)

// here lets a query that is written for ./lake read this lake.
func (l *lake) here(query string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(query), ";"), "'lake/", "'"+filepath.ToSlash(l.dir)+"/")
}

// selectText has every column as text: what a query is made of is its own affair.
func selectText(query string) string {
	return "SELECT COLUMNS(*)::VARCHAR FROM (" + query + ")"
}
