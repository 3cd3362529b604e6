package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	lakesql "finoos-syncer/internal/sink/warehouse"
)

// awkwardLake is a lake in a folder with an awkward name, in which contracts alone
// has files, and the older of the two lacks a column.
func awkwardLake(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "it's [a] lake?")
	row := literals{"user_id": "'u'", "contract_id": "'c'", "category": "'rent'", "_op": "'upsert'", "_extracted_at": night(1)}
	written := t.TempDir()
	writeTable(t, written, "contracts", "old", nil, row)
	row["_extracted_at"] = night(2)
	writeTable(t, written, "contracts", "new", nil, row)
	folder := filepath.Join(dir, "contracts", "ingest_date=2026-11-22")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	from := filepath.ToSlash(filepath.Join(written, "contracts", "ingest_date=2026-11-22"))
	to := strings.ReplaceAll(filepath.ToSlash(folder), "'", "''")
	openLake(t, t.TempDir()).exec(t, "COPY (SELECT * EXCLUDE (category) FROM '"+from+"/old.parquet') TO '"+to+"/old.parquet';"+
		"COPY (SELECT * FROM '"+from+"/new.parquet') TO '"+to+"/new.parquet'")
	return dir
}

func historyOfCategories(t *testing.T, l *lake) []row {
	t.Helper()
	return l.query(t, "SELECT category, valid_to IS NULL AS now FROM history_contracts ORDER BY valid_from")
}

var categories = []row{{"category": nil, "now": false}, {"category": "rent", "now": true}}

func TestALakeOfOlderFilesAndMissingTablesIsReadAllTheSame(t *testing.T) {
	t.Parallel()
	l := openLake(t, awkwardLake(t))
	if diff := cmp.Diff(categories, historyOfCategories(t, l)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// Of a bucket nobody knows which tables have files: the statement that reads
// those of one that has none fails, and the duckdb command goes on.
func TestInABucketATableWithoutFilesIsEmpty(t *testing.T) {
	t.Parallel()
	l := &lake{dir: awkwardLake(t), db: openDuckDB(t, "")}
	t.Cleanup(l.close)
	statements, err := lakesql.Statements(lakesql.Options{Dialect: "duckdb", Location: "s3://bucket/lake"})
	if err != nil {
		t.Fatal(err)
	}
	folder := strings.NewReplacer("'", "''", "[", "[[]", "?", "[?]").Replace(filepath.ToSlash(l.dir))
	failed := 0
	for _, s := range statements {
		if s.Name == "" { // what speaks to S3
			continue
		}
		if _, err := l.db.ExecContext(t.Context(), strings.ReplaceAll(s.SQL, "s3://bucket/lake", folder)); err != nil {
			if !strings.Contains(err.Error(), "No files found that match") {
				t.Fatalf("%s: %v", s.SQL, err)
			}
			failed++
		}
	}
	if failed != len(tables)-1 {
		t.Errorf("%d statements found no files, want all but that of contracts", failed)
	}
	if diff := cmp.Diff(categories, historyOfCategories(t, l)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if n := l.count(t, "SELECT count(*) FROM current_accounts"); n != 0 {
		t.Errorf("%d accounts, want none", n)
	}
}
