package files

import (
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the reader

	"finoos-syncer/bench/lake"
	"finoos-syncer/bench/world"
	"finoos-syncer/internal/sink/cursors"
)

var measure = flag.Bool("files", false, "measure, which takes two minutes")

// TestFiles runs first nights, each of one shard of as many as leave some
// thousand users: every bucket of users looks like any other.
func TestFiles(t *testing.T) { //nolint:paralleltest // a measurement
	if !*measure {
		t.Skip("a measurement: make bench-files")
	}
	lake.Printf("| users | days | table | row groups a bucket | rows each | left for a user | for a month of days |")
	lake.Printf("|---|---|---|---|---|---|---|")
	for _, c := range []struct{ users, days, shards int }{{10_000, 730, 4}, {100_000, 730, 64}, {1_000_000, 90, 128}, {1_000_000, 730, 256}} {
		l := lake.Lake{Dir: t.TempDir() + "/lake", Shard: cursors.Shard{Count: c.shards}}
		if _, err := l.Night(t.Context(), world.New(c.users, 0, c.days), nil); err != nil {
			t.Fatal(err)
		}
		db := openDuckDB(t)
		for _, table := range []string{"transactions", "categorization", "account_history", "contracts", "pulls"} {
			measureTable(t, db, l, table, fmt.Sprintf("| %d | %d |", c.users, c.days), c.users)
		}
	}
}

func openDuckDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// wanted are users to look for, of all there are.
const wanted = 1000

func measureTable(t *testing.T, db *sql.DB, l lake.Lake, table, head string, users int) {
	t.Helper()
	ask := func(into []any, query string, args ...any) {
		if err := db.QueryRowContext(t.Context(), query, args...).Scan(into...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`CREATE OR REPLACE TABLE stats AS SELECT file_name, row_group_id, row_group_num_rows AS n,
		path_in_schema AS name, stats_min_value AS least, stats_max_value AS greatest FROM parquet_metadata('%s/%s/**/*.parquet')`, l.Dir, table)); err != nil {
		t.Fatal(err)
	}
	var groups, rows, hit int64
	ask([]any{&groups, &rows}, "SELECT count(*), sum(n)::BIGINT FROM stats WHERE name = 'user_id'")
	ids := make([]string, 0, wanted)
	for rng := rand.New(rand.NewPCG(1, 2)); len(ids) < wanted; {
		ids = append(ids, "('"+world.ID(rng.IntN(users))+"')")
	}
	ask([]any{&hit}, "SELECT count(*) FROM stats JOIN (VALUES "+strings.Join(ids, ",")+") u(id) ON name = 'user_id' AND id BETWEEN least AND greatest")
	byMonth, dated, inMonth := "–", int64(0), int64(0)
	ask([]any{&dated, &inMonth}, `SELECT count(*), count(*) FILTER (least <= '2026-10-31' AND greatest >= '2026-10-01')
		FROM stats WHERE name IN ('booking_date', 'date')`)
	if dated > 0 {
		byMonth = fmt.Sprintf("%.0f %%", 100*float64(inMonth)/float64(dated))
	}
	buckets := float64(cursors.Buckets) / float64(l.Shard.Count)
	lake.Printf("%s %s | %.1f | %d | %.1f %% | %s |", head, table, float64(groups)/buckets, rows/groups,
		100*float64(hit)/float64(groups*wanted), byMonth)
}
