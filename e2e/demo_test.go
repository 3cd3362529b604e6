package e2e

import (
	"bytes"
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
	for _, tb := range tables {
		l.checkStatistics(t, tb, l.dir)
	}
	if n := l.count(t, "SELECT count(DISTINCT _run_id) FROM pulls"); n != nights {
		t.Errorf("%d nights are in the lake, want %d", n, nights)
	}

	_, pasted, found := strings.Cut(c.stdout.String(), "into: duckdb lake.duckdb")
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

// What the docs say of DuckDB is done as it is printed there: the command is
// run, what it prints goes into DuckDB, and the queries find something.
func TestTheWayIntoDuckDBOfTheDocsWorksAsPrinted(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if code := start(t, home, nil, "demo").wait(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "warehouse.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pipe := regexp.MustCompile(`(?m)^ *bin/syncer (sql .*) \| duckdb lake\.duckdb`)
	piped, short := pipe.FindSubmatch(page), pipe.FindSubmatch(readme)
	if piped == nil || short == nil || !bytes.Equal(piped[1], short[1]) {
		t.Fatalf("docs/warehouse.md pipes %q into duckdb, the README %q", piped, short)
	}
	c := start(t, home, nil, strings.Fields(string(piped[1]))...)
	if code := c.wait(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &c.stderr)
	}
	file := filepath.Join(home, "lake.duckdb")
	l := &lake{dir: filepath.Join(home, "lake"), db: openDuckDB(t, file)}
	l.exec(t, c.stdout.String())
	l.close()

	// Another session, as the docs have it: the views are kept in the file.
	l.db = openDuckDB(t, file)
	t.Cleanup(l.close)
	l.exec(t, "SET TimeZone = 'UTC'")
	tb := tableNamed("contracts")
	if compare(t, tb, openLake(t, l.dir).current(t, tb), l.current(t, tb)) == 0 {
		t.Error("there are no contracts: nothing is shown")
	}
	_, rest, found := strings.Cut(string(page), "## Loading a warehouse")
	_, rest, hasBlock := strings.Cut(rest, "```sql\n")
	block, _, closed := strings.Cut(rest, "```")
	queries := statements.FindAllString(block, -1)
	if !found || !hasBlock || !closed || len(queries) < 2 {
		t.Fatalf("docs/warehouse.md shows %d queries", len(queries))
	}
	for _, q := range queries {
		if rows := l.query(t, selectText(l.here(q))); len(rows) == 0 {
			t.Errorf("a query that the docs show finds nothing:\n%s", q)
		}
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
