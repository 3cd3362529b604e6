package quiet

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the reader

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/warehouse"
)

// compared are the columns of the tables that are held against the truth: the keys, and
// what nights change.
var compared = map[string][]string{
	"users":           {"name"},
	"bank_logins":     {"bank_login_id", "status", "last_synchronization"},
	"accounts":        {"account_id", "balance"},
	"transactions":    {"account_id", "transaction_id", "amount", "booking_date", "purpose"},
	"categorization":  {"account_id", "transaction_id", "tag"},
	"contracts":       {"contract_id", "amount", "next_booking_date", "is_active"},
	"account_history": {"account_id", "date", "balance"},
}

// rowsOf are the rows of some users in one of the tables, each as a text, by user.
type rowsOf map[string]map[string]bool

func (r rowsOf) add(user, row string) {
	if r[user] == nil {
		r[user] = map[string]bool{}
	}
	r[user][row] = true
}

// behind is how many of some users the lake says something else of than the simulator.
func behind(t *testing.T, dir string, api *sandbox.Sandbox, users []string) (n int) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	statements, err := warehouse.Statements(warehouse.Options{Dialect: "duckdb", Location: filepath.ToSlash(dir), Empty: []string{"sync_sessions"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s.SQL); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
	}
	wrong, rows := map[string]bool{}, 0
	for table, columns := range compared {
		have, want := readLake(t, db, table, columns, users), readTruth(api, table, columns, users)
		for _, u := range users {
			rows += len(want[u])
			if !maps.Equal(have[u], want[u]) {
				wrong[u] = true
			}
		}
	}
	if rows < 100*len(users) {
		t.Errorf("%d rows of %d users are too few to compare with", rows, len(users))
	}
	return len(wrong)
}

func readLake(t *testing.T, db *sql.DB, table string, columns, users []string) rowsOf {
	t.Helper()
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = "coalesce(" + c + "::VARCHAR, '')"
		if c == "last_synchronization" {
			texts[i] = "coalesce(epoch_us(" + c + ")::VARCHAR, '')"
		}
	}
	found, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT user_id, %s FROM current_%s WHERE user_id IN ('%s')",
		strings.Join(texts, " || '|' || "), table, strings.Join(users, "','")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	all := rowsOf{}
	for found.Next() {
		var user, row string
		if err := found.Scan(&user, &row); err != nil {
			t.Fatal(err)
		}
		all.add(user, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func readTruth(api *sandbox.Sandbox, table string, columns, users []string) rowsOf {
	all := rowsOf{}
	for _, u := range users {
		for row := range api.TruthUser(table, u) {
			texts := make([]string, len(columns))
			for i, c := range columns {
				switch v := row[c].(type) {
				case nil:
				case time.Time:
					texts[i] = strconv.FormatInt(v.UnixMicro(), 10)
				default:
					texts[i] = fmt.Sprint(v)
				}
			}
			all.add(u, strings.Join(texts, "|"))
		}
	}
	return all
}

// some are so many users of the first night who are there yet, evenly taken.
func some(api *sandbox.Sandbox, n int) (ids []string) {
	for i := 0; i < users; i += users / n {
		for range api.TruthUser("users", api.UserID(i)) {
			ids = append(ids, api.UserID(i))
		}
	}
	return slices.Clip(ids)
}
