package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ruleLake is a lake with one user for each thing that a row can mean.
func ruleLake(t *testing.T) *lake {
	t.Helper()
	dir := t.TempDir()
	contract := func(user, id, name, op string, n int) literals {
		return literals{
			"user_id": "'" + user + "'", "contract_id": "'" + id + "'", "partner_name": "'" + name + "'",
			"_op": "'" + op + "'", "_extracted_at": night(n),
		}
	}
	pull := func(user, outcome, mode string, n int) literals {
		return literals{
			"user_id": "'" + user + "'", "stream": "'contracts'", "outcome": "'" + outcome + "'",
			"mode": "'" + mode + "'", "_op": "'upsert'", "_extracted_at": night(n),
		}
	}
	user := func(id, op string, n int) literals {
		return literals{"user_id": "'" + id + "'", "_op": "'" + op + "'", "_extracted_at": night(n)}
	}
	writeTable(t, dir, "contracts", "one", nil,
		contract("anna", "c1", "first name", "upsert", 1),
		contract("anna", "c2", "vanishes", "upsert", 1),
		contract("bert", "c1", "before the full pull", "upsert", 1),
		contract("carl", "c1", "the full pull is empty", "upsert", 1),
		contract("dora", "c1", "the full pull fails", "upsert", 1),
		contract("emil", "c1", "of a deleted user", "upsert", 1),
		contract("fred", "c1", "of a user who comes back", "upsert", 1),
		contract("hans", "c1", "pulled", "upsert", 1))
	writeTable(t, dir, "contracts", "two", nil,
		contract("anna", "c1", "newest name", "upsert", 2),
		contract("anna", "c2", "vanishes", "delete", 2),
		contract("bert", "c2", "in the full pull", "upsert", 2),
		contract("bert", "c3", "after the full pull", "upsert", 3),
		contract("gert", "c1", "deleted", "delete", 2),
		contract("gert", "c1", "and back", "upsert", 3),
		contract("hans", "c1", "from a backfill", "upsert", 2))
	writeTable(t, dir, "pulls", "one", nil,
		pull("anna", "pulled", "full", 1), pull("anna", "pulled", "diff", 2),
		pull("bert", "pulled", "full", 1), pull("bert", "pulled", "full", 2), pull("bert", "pulled", "diff", 3),
		pull("carl", "pulled", "full", 2),
		pull("dora", "failed", "full", 2))
	writeTable(t, dir, "users", "one", nil,
		user("emil", "upsert", 1), user("emil", "delete", 2),
		user("fred", "upsert", 1), user("fred", "delete", 2), user("fred", "upsert", 3))

	return openLake(t, dir)
}

func TestCurrentStateIsTheNewestRowPerKeyAtOrAfterTheLastFullPull(t *testing.T) {
	t.Parallel()
	l := ruleLake(t)
	got := l.query(t, "SELECT user_id, contract_id, partner_name FROM current_contracts ORDER BY ALL")
	want := []row{
		{"user_id": "anna", "contract_id": "c1", "partner_name": "newest name"},
		{"user_id": "bert", "contract_id": "c2", "partner_name": "in the full pull"},
		{"user_id": "bert", "contract_id": "c3", "partner_name": "after the full pull"},
		{"user_id": "dora", "contract_id": "c1", "partner_name": "the full pull fails"},
		{"user_id": "fred", "contract_id": "c1", "partner_name": "of a user who comes back"},
		{"user_id": "gert", "contract_id": "c1", "partner_name": "and back"},
		{"user_id": "hans", "contract_id": "c1", "partner_name": "from a backfill"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("current contracts (-want +got):\n%s", diff)
	}
	users := l.query(t, "SELECT user_id FROM current_users")
	if diff := cmp.Diff([]row{{"user_id": "fred"}}, users); diff != "" {
		t.Errorf("current users (-want +got):\n%s", diff)
	}
}

func TestTheHistoryEndsWhatRowsFullPullsAndGoneUsersEnd(t *testing.T) {
	t.Parallel()
	l := ruleLake(t)
	var got []string
	for _, r := range l.query(t, `SELECT user_id, contract_id, partner_name, day(valid_from)::VARCHAR AS since, coalesce(day(valid_to)::VARCHAR, 'now') AS until
		FROM history_contracts ORDER BY ALL`) {
		got = append(got, fmt.Sprintf("%v %v %v: %v-%v", r["user_id"], r["contract_id"], r["partner_name"], r["since"], r["until"]))
	}
	want := []string{
		"anna c1 first name: 21-22", "anna c1 newest name: 22-now", "anna c2 vanishes: 21-22",
		"bert c1 before the full pull: 21-22", "bert c2 in the full pull: 22-now", "bert c3 after the full pull: 23-now",
		"carl c1 the full pull is empty: 21-22", "dora c1 the full pull fails: 21-now", "emil c1 of a deleted user: 21-22",
		"fred c1 of a user who comes back: 21-22", "fred c1 of a user who comes back: 23-now", "gert c1 and back: 23-now",
		"hans c1 from a backfill: 22-now", "hans c1 pulled: 21-22",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history of contracts (-want +got):\n%s", diff)
	}
}

// randomLog fills the tables of an empty lake with what thousands of users might
// have been through in eight nights: rows and deletes, full pulls that worked or
// failed, deletes and returns of users. Everything follows from hashes.
const randomLog = `
CREATE MACRO dice(u, k, n, what) AS (hash(u * 1000003 + k * 1009 + n * 17 + what) % 100)::INT;
CREATE MACRO at_night(n) AS TIMESTAMPTZ '2026-11-20 03:00:00+00' + n * INTERVAL 1 DAY;
INSERT INTO pulls BY NAME
SELECT 'u' || u AS user_id, 'contracts' AS stream, CASE WHEN dice(u, 0, n, 1) < 80 THEN 'pulled' ELSE 'failed' END AS outcome,
	CASE WHEN dice(u, 0, n, 2) < 40 THEN 'full' ELSE 'diff' END AS mode, 'upsert' AS _op, at_night(n) AS _extracted_at
FROM range(2000) AS us(u), range(1, 9) AS ns(n) WHERE dice(u, 0, n, 3) < 40;
INSERT INTO contracts BY NAME
SELECT 'u' || u AS user_id, 'c' || k AS contract_id, CASE WHEN dice(u, k, n, 4) < 70 THEN 'upsert' ELSE 'delete' END AS _op,
	'name ' || n AS partner_name, at_night(n) AS _extracted_at
FROM range(2000) AS us(u), range(3) AS ks(k), range(1, 9) AS ns(n) WHERE dice(u, k, n, 5) < 50;
INSERT INTO users BY NAME
SELECT 'u' || u AS user_id, CASE WHEN dice(u, 0, n, 6) < 50 THEN 'upsert' ELSE 'delete' END AS _op, at_night(n) AS _extracted_at
FROM range(2000) AS us(u), range(1, 9) AS ns(n) WHERE dice(u, 0, n, 7) < 20;`

func TestAtAnyNightTheHistoryIsWhatTheCurrentStateWasThen(t *testing.T) {
	t.Parallel()
	l := openLake(t, t.TempDir())
	l.exec(t, randomLog)
	for n := 1; n <= 8; n++ {
		then := fmt.Sprintf("then_%d", n)
		l.exec(t, "CREATE SCHEMA "+then+"; USE "+then)
		for _, s := range l.statements(t) {
			if isTable(s.Name) {
				s.SQL = fmt.Sprintf("CREATE TABLE %[1]s AS FROM memory.main.%[1]s WHERE _extracted_at <= memory.main.at_night(%[2]d)", s.Name, n)
			}
			l.exec(t, s.SQL)
		}
		for _, name := range []string{"contracts", "users"} {
			cols := selectList(tableNamed(name).all())
			asOf := fmt.Sprintf("SELECT %s FROM memory.main.history_%s WHERE valid_from <= at_night(%[3]d) AND (valid_to > at_night(%[3]d) OR valid_to IS NULL)", cols, name, n)
			if n := l.same(t, fmt.Sprintf("night %d of %s", n, name), asOf, fmt.Sprintf("SELECT %s FROM current_%s", cols, name)); n < 100 {
				t.Errorf("%d rows compared: too few to show anything", n)
			}
		}
		l.exec(t, "USE main")
	}
	if n := l.count(t, "SELECT count(*) FROM history_contracts WHERE valid_to <= valid_from"); n > 0 {
		t.Errorf("%d rows of the history end before they begin", n)
	}
}

// same fails unless two queries find the same rows, and returns how many.
func (l *lake) same(t *testing.T, what, got, want string) int64 {
	t.Helper()
	rows := l.query(t, fmt.Sprintf(`
SELECT coalesce(sum(n) FILTER (n > 0), 0)::BIGINT AS more, coalesce(-sum(n) FILTER (n < 0), 0)::BIGINT AS less, coalesce(sum(found), 0)::BIGINT AS found FROM (
	SELECT h, sum(n) AS n, count(*) FILTER (n > 0) AS found FROM (SELECT hash(g) AS h, 1 AS n FROM (%s) AS g UNION ALL SELECT hash(w), -1 FROM (%s) AS w) GROUP BY h)`, got, want))
	if rows[0]["more"] != int64(0) || rows[0]["less"] != int64(0) {
		t.Errorf("%s: %v rows too many, %v too few", what, rows[0]["more"], rows[0]["less"])
	}
	found, _ := rows[0]["found"].(int64)
	return found
}

// stateThen is the current state of all tables as it was at some instant.
type stateThen struct{ at, dir string }

// keepState keeps the current state, to be compared with the history later.
func (l *lake) keepState(t *testing.T) stateThen {
	t.Helper()
	newest := make([]string, 0, len(tables))
	for _, tb := range tables {
		newest = append(newest, "SELECT max(_extracted_at) AS newest FROM "+tb.name)
	}
	at := l.query(t, "SELECT max(newest)::VARCHAR AS newest FROM ("+strings.Join(newest, " UNION ALL ")+")")
	kept := stateThen{at: fmt.Sprint(at[0]["newest"]), dir: t.TempDir()}
	for _, tb := range tables {
		if !tb.history {
			l.exec(t, fmt.Sprintf("COPY current_%s TO '%s'", tb.name, kept.file(tb)))
		}
	}
	return kept
}

func (k stateThen) file(tb table) string {
	return filepath.ToSlash(filepath.Join(k.dir, tb.name)) + ".parquet"
}

// checkHistory fails unless the history says of each instant what the current
// state was then.
func (l *lake) checkHistory(t *testing.T, kept []stateThen) {
	t.Helper()
	var rows, ended int64
	for i, k := range kept {
		for _, tb := range tables {
			if tb.history {
				continue
			}
			asOf := fmt.Sprintf("SELECT * EXCLUDE (valid_from, valid_to) FROM history_%s WHERE valid_from <= '%[2]s' AND (valid_to > '%[2]s' OR valid_to IS NULL)", tb.name, k.at)
			rows += l.same(t, fmt.Sprintf("history of %s in night %d", tb.name, i+1), asOf, "FROM read_parquet('"+k.file(tb)+"')")
		}
	}
	for _, tb := range tables {
		if !tb.history {
			ended += l.count(t, "SELECT count(*) FROM history_"+tb.name+" WHERE valid_to IS NOT NULL")
		}
	}
	if ended == 0 || rows == 0 {
		t.Error("nothing has ever changed: nothing is shown")
	}
	t.Logf("%d rows of the history are the state of their night", rows)
}

func TestFreshnessIsTheAgeOfTheNewestPullOfEachUserThatIsThere(t *testing.T) {
	t.Parallel()
	l := openLake(t, t.TempDir())
	l.exec(t, `
INSERT INTO pulls BY NAME
SELECT 'u' || n AS user_id, 'contracts' AS stream, 'pulled' AS outcome, now() - n * INTERVAL 1 DAY AS _extracted_at FROM range(1, 21) AS ns(n)
UNION ALL BY NAME
SELECT 'u' || n AS user_id, 'contracts' AS stream, 'pulled' AS outcome, now() - 100 * INTERVAL 1 DAY AS _extracted_at FROM range(1, 21) AS ns(n)
UNION ALL BY NAME
SELECT 'u9' AS user_id, 'contracts' AS stream, 'failed' AS outcome, now() AS _extracted_at
UNION ALL BY NAME
SELECT 'gone' AS user_id, 'contracts' AS stream, 'pulled' AS outcome, now() - 50 * INTERVAL 1 DAY AS _extracted_at
UNION ALL BY NAME
SELECT 'u1' AS user_id, 'accounts' AS stream, 'pulled' AS outcome, now() - 3 * INTERVAL 1 DAY AS _extracted_at;
INSERT INTO users BY NAME SELECT 'gone' AS user_id, 'delete' AS _op, now() AS _extracted_at;`)
	got := l.query(t, `SELECT stream, users_pulled, date_diff('hour', oldest_pull_at, now()) // 24 AS oldest, date_diff('hour', newest_pull_at, now()) // 24 AS newest,
		p50_age_seconds // 86400 AS p50, p95_age_seconds // 86400 AS p95, p50_age, p95_age FROM freshness ORDER BY stream`)
	want := []row{
		{"stream": "accounts", "users_pulled": int64(1), "oldest": int64(3), "newest": int64(3), "p50": int64(3), "p95": int64(3), "p50_age": "3 d 00:00", "p95_age": "3 d 00:00"},
		{"stream": "contracts", "users_pulled": int64(20), "oldest": int64(20), "newest": int64(1), "p50": int64(10), "p95": int64(19), "p50_age": "10 d 00:00", "p95_age": "19 d 00:00"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("freshness (-want +got):\n%s", diff)
	}
}
