package e2e

import (
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the independent reader
	"github.com/google/go-cmp/cmp"

	lakesql "finoos-syncer/internal/sink/warehouse"
)

// row is one row by column name: nil, string, bool, int64, []string or
// time.Time. Money and days are text in their one canonical form, JSON is text
// with sorted keys.
type row map[string]any

// lake is a folder of Parquet files as a warehouse sees it: it globs
// <table>/**/*.parquet and knows nothing else.
type lake struct {
	dir string
	db  *sql.DB
}

// openLake loads the files that are visible now. Open it again to see later ones.
func openLake(t *testing.T, dir string) *lake {
	t.Helper()
	l := &lake{dir: dir, db: openDuckDB(t, "")}
	t.Cleanup(l.close)
	l.exec(t, "SET TimeZone = 'UTC'")
	l.load(t)
	return l
}

// openDuckDB opens a database file; "" is one in memory.
func openDuckDB(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", file)
	if err != nil {
		t.Fatalf("open duckdb: %v", err)
	}
	db.SetMaxOpenConns(1) // an in-memory database, and a setting, belong to their connection
	return db
}

// close frees the memory that the tables take; tests that open many lakes do
// so as soon as they have looked.
func (l *lake) close() { _ = l.db.Close() }

// load makes a lake readable by the SQL that `syncer sql` prints. The tables are
// read once, not each time that a view looks at them.
func (l *lake) load(t *testing.T) {
	t.Helper()
	for _, s := range l.statements(t) {
		if isTable(s.Name) {
			s.SQL = strings.Replace(s.SQL, "CREATE OR REPLACE VIEW", "CREATE TABLE", 1)
		}
		l.exec(t, s.SQL)
	}
}

// statements are those that `syncer sql --dialect duckdb` prints for this lake.
func (l *lake) statements(t *testing.T) []lakesql.Statement {
	t.Helper()
	var empty []string
	for _, tb := range tables {
		if len(l.files(t, tb.name)) == 0 {
			empty = append(empty, tb.name)
		}
	}
	statements, err := lakesql.Statements(lakesql.Options{Dialect: "duckdb", Location: filepath.ToSlash(l.dir), Empty: empty})
	if err != nil {
		t.Fatalf("the SQL of the lake: %v", err)
	}
	return statements
}

func (l *lake) exec(t *testing.T, query string) {
	t.Helper()
	if _, err := l.db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// files are the visible Parquet files below a table's folder, by their path in
// the lake.
func (l *lake) files(t *testing.T, name string) []string {
	t.Helper()
	return parquetFiles(t, l.dir, name)
}

// parquetFiles are the files that <table>/**/*.parquet matches in a lake, by
// their path in it; of all tables where none is named.
func parquetFiles(t *testing.T, dir string, names ...string) []string {
	t.Helper()
	if len(names) == 0 {
		for _, tb := range tables {
			names = append(names, tb.name)
		}
	}
	var found []string
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".parquet") {
				return ignoreAbsent(err)
			}
			rel, err := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(rel))
			return err
		})
		if err != nil {
			t.Fatalf("list %s: %v", name, err)
		}
	}
	sort.Strings(found)
	return found
}

// schemaDiff is "" where every file of every table has exactly the columns and
// types of the design, in its order.
func (l *lake) schemaDiff(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, tb := range tables {
		for _, file := range l.files(t, tb.name) {
			if diff := cmp.Diff(tb.all(), l.describe(t, file)); diff != "" {
				fmt.Fprintf(&b, "columns of %s (-design +lake):\n%s", file, diff)
			}
			for _, r := range l.query(t, wrongStorage, filepath.Join(l.dir, file)) {
				fmt.Fprintf(&b, "%s: %v is stored as %v %v\n", file, r["name"], r["type"], r["logical_type"])
			}
		}
	}
	return b.String()
}

// wrongStorage finds what DESCRIBE does not tell apart: instants in other units
// than microseconds UTC, and money that takes more than an INT64.
const wrongStorage = `
SELECT name, type, logical_type FROM parquet_schema(?)
WHERE type IN ('FLOAT', 'DOUBLE', 'INT96')
   OR logical_type LIKE 'TimestampType%' AND NOT logical_type LIKE '%isAdjustedToUTC=1%MICROS=MicroSeconds()%'
   OR logical_type LIKE 'DecimalType%' AND type <> 'INT64'`

// describe is what DuckDB makes of one file, in column order.
func (l *lake) describe(t *testing.T, file string) []column {
	t.Helper()
	var cols []column
	for _, r := range l.query(t, fmt.Sprintf(
		"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('%s', hive_partitioning = false))",
		filepath.ToSlash(filepath.Join(l.dir, file)))) {
		cols = append(cols, column{fmt.Sprint(r["column_name"]), fmt.Sprint(r["column_type"])})
	}
	return cols
}

// current are the rows of a table's current state, without the columns that
// only say where a row came from.
func (l *lake) current(t *testing.T, tb table) []row {
	t.Helper()
	return l.query(t, fmt.Sprintf("SELECT %s FROM current_%s", selectList(tb.withExtra()), tb.name))
}

// selectList casts what has no exact Go value to its canonical text.
func selectList(cols []column) string {
	list := make([]string, 0, len(cols))
	for _, c := range cols {
		name := quote(c.Name)
		if c.Type == money || c.Type == day {
			name = fmt.Sprintf("%s::VARCHAR AS %s", name, name)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// query returns all rows of an SQL query.
func (l *lake) query(t *testing.T, query string, args ...any) []row {
	t.Helper()
	rows, err := l.db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var all []row
	for rows.Next() {
		values, targets := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		r := make(row, len(names))
		for i, name := range names {
			r[name] = plain(t, values[i])
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

// count is the one number that a query returns.
func (l *lake) count(t *testing.T, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := l.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// plain brings a driver's value to the few types that a row may hold.
func plain(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case nil, string, bool, int64:
		return v
	case int32:
		return int64(v)
	case time.Time:
		return v.UTC()
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				t.Fatalf("a list holds %T, want text only", e)
			}
			list = append(list, s)
		}
		return list
	default:
		t.Fatalf("unexpected value of type %T: %v", v, v)
		return nil
	}
}

func quote(name string) string { return `"` + name + `"` }
