package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	lakesql "finoos-syncer/internal/sink/warehouse"
)

// gap is a key at which a lake differs from the truth of its night.
type gap struct {
	table, user, key string
	got              row // nil: missing
	want             row // nil: there is none any more
}

func (g gap) String() string {
	switch {
	case g.got == nil:
		return g.table + " lacks " + g.key
	case g.want == nil:
		return g.table + " still has " + g.key
	}
	return fmt.Sprintf("%s %s (-truth +lake):\n%s", g.table, g.key, cmp.Diff(g.want, g.got))
}

// verdict is what became of one night.
type verdict struct {
	exit   int
	says   string
	gaps   []gap
	silent []gap // those that nothing was said of
	wrong  []gap // those that are not even what was true once
	users  map[string]bool
	said   map[string]string // by user and stream
}

// judge compares lakes, all of them below one folder, with the truth of each of
// their nights. What the views say is asked for once: the tables hold each row
// once for every night from its own on, and the lake and the night stand before
// the user's id.
func judge(t *testing.T, dir string, readers []*reader) [][]verdict {
	t.Helper()
	l := &lake{dir: dir, db: openDuckDB(t, "")}
	defer l.close()
	l.exec(t, "SET TimeZone = 'UTC'; SET threads = 1")
	l.loadNights(t, readers)
	current := map[string]map[string][]row{} // by lake and night, and table
	for _, tb := range tables {
		query := "SELECT " + selectList(tb.withExtra()) + " FROM current_" + tb.name
		switch {
		case tb.name == "pulls":
			query = `SELECT user_id, stream, outcome, error_class, issues FROM pulls
				QUALIFY row_number() OVER (PARTITION BY user_id, stream ORDER BY _extracted_at DESC) = 1`
		case tb.history:
			continue
		}
		for _, rec := range l.query(t, query) {
			at, id, _ := strings.Cut(fmt.Sprint(rec["user_id"]), " ")
			rec["user_id"] = id
			if current[at] == nil {
				current[at] = map[string][]row{}
			}
			current[at][tb.name] = append(current[at][tb.name], rec)
		}
	}
	all := make([][]verdict, len(readers))
	for i, r := range readers {
		for n := range r.nights {
			all[i] = append(all[i], r.judgeNight(n, current[fmt.Sprintf("%d/%d", i, n)]))
		}
	}
	return all
}

// loadNights makes the tables and views of all lakes and nights.
func (l *lake) loadNights(t *testing.T, readers []*reader) {
	t.Helper()
	var nights, empty []string
	for i, r := range readers {
		for n := range r.nights {
			for _, run := range append(r.nights[n].before, r.nights[n].report.RunID) {
				nights = append(nights, fmt.Sprintf("(%d, %d, '%s')", i, n, run))
			}
		}
	}
	for _, tb := range tables {
		if !slices.ContainsFunc(readers, func(r *reader) bool { return len(parquetFiles(t, r.dir, tb.name)) > 0 }) {
			empty = append(empty, tb.name)
		}
	}
	l.exec(t, "CREATE TABLE nights AS FROM (VALUES "+strings.Join(nights, ", ")+") AS _(lake, night, run)")
	statements, err := lakesql.Statements(lakesql.Options{Dialect: "duckdb", Location: filepath.ToSlash(l.dir) + "/*", Empty: empty})
	if err != nil {
		t.Fatalf("the SQL of the lakes: %v", err)
	}
	for _, s := range statements {
		if isTable(s.Name) {
			s.SQL = strings.Replace(s.SQL, "/[*]/", "/*/", 1) // any lake, and not one of this name
			s.SQL = strings.Replace(s.SQL, "CREATE OR REPLACE VIEW "+s.Name, "CREATE OR REPLACE VIEW raw_"+s.Name, 1) +
				fmt.Sprintf("; CREATE TABLE %[1]s AS SELECT raw.* REPLACE (later.lake || '/' || later.night || ' ' || raw.user_id AS user_id) "+
					"FROM raw_%[1]s raw JOIN nights own ON own.run = raw._run_id "+
					"JOIN (SELECT DISTINCT lake, night FROM nights) later ON later.lake = own.lake AND later.night >= own.night", s.Name)
		}
		l.exec(t, s.SQL)
	}
}

func (r *reader) judgeNight(i int, current map[string][]row) verdict {
	n := r.nights[i]
	v := verdict{exit: exitOf(n.err), said: map[string]string{}, users: map[string]bool{}}
	if n.err != nil {
		v.says = n.err.Error()
	}
	for _, p := range current["pulls"] {
		if strings.Contains(fmt.Sprint(p["issues"]), `"null_list"`) {
			v.said[fmt.Sprint(p["user_id"], " ", p["stream"])] = "null_list"
		}
		if p["outcome"] != "pulled" {
			v.said[fmt.Sprint(p["user_id"], " ", p["stream"])] = strings.TrimSuffix(fmt.Sprint(p["outcome"], " ", p["error_class"]), " <nil>")
		}
	}
	for _, tb := range tables {
		if !tb.history {
			v.gaps = append(v.gaps, gaps(tb, n.truth[tb.name], current[tb.name])...)
		}
	}
	for _, u := range current["users"] {
		v.users[fmt.Sprint(u["user_id"])] = true
	}
	for _, g := range v.gaps {
		if g.got != nil && !r.wasTrue(g, i) {
			v.wrong = append(v.wrong, g)
		}
		if !r.excuses(v, n, g) {
			v.silent = append(v.silent, g)
		}
	}
	return v
}

func gaps(tb table, want map[string][]row, got []row) (all []gap) {
	seen := map[string]bool{}
	for _, g := range got {
		k := apiKey(tb, g)
		one := gap{table: tb.name, user: fmt.Sprint(g["user_id"]), key: k, got: g}
		if rows := want[k]; len(rows) > 0 && !seen[k] {
			one.want = rows[0]
			seen[k] = true
			if slices.ContainsFunc(rows, func(w row) bool { return sameRow(w, g) || sameRow(w, canonical(tb, g)) }) {
				continue
			}
		}
		seen[k] = true
		all = append(all, one)
	}
	for k, rows := range want {
		if !seen[k] {
			all = append(all, gap{table: tb.name, user: fmt.Sprint(rows[0]["user_id"]), key: k, want: rows[0]})
		}
	}
	return all
}

// wasTrue tells whether what the lake has at a gap was true in an earlier night.
func (r *reader) wasTrue(g gap, night int) bool {
	tb := tableNamed(g.table)
	for _, n := range r.nights[:night] {
		for _, was := range n.truth[g.table][g.key] {
			if sameRow(was, canonical(tb, g.got)) {
				return true
			}
		}
	}
	return false
}

// excuses tells whether a run has said that it could not know better at a gap.
func (r *reader) excuses(v verdict, n readNight, g gap) bool {
	rep := n.report
	if v.exit != 0 && v.exit != 9 && v.exit != 3 {
		return true // nobody takes the night for done
	}
	if v.said[g.user+" "+g.table] != "" {
		return true
	}
	if s := rep.Streams[config.Stream(g.table)]; s != nil && s.NoAnalysis > 0 && v.exit == 9 {
		return true // analyses were lost, and nobody knows yet whether they are
	}
	for service := range rep.Services {
		if slices.Contains(streamsOf[service], g.table) {
			return true
		}
	}
	_, there := n.truth["users"][g.user]
	listed := rep.List == nil || rep.List.Whole && rep.List.Aside == 0
	return !listed && (!v.users[g.user] || !there) || rep.Users.Missing > 0 && !there
}

// streamsOf are the streams that need a service, or are called like the part of
// it that is down.
var streamsOf = map[string][]string{
	"banking": {"accounts", "transactions"}, "categorization": {"categorization"}, "contracts": {"contracts"},
	"account-history": {"account_history"}, "account_history": {"account_history"},
	"accounts": {"accounts"}, "transactions": {"transactions"}, "bank_logins": {"bank_logins"}, "logins": {"bank_logins"},
}

// exitOf is the exit code of the command line.
func exitOf(err error) int {
	reason, told := jobs.ReasonOf(err)
	switch {
	case err == nil:
		return 0
	case !told:
		return 1
	}
	return map[jobs.Reason]int{
		jobs.ReasonUnexpected: 1, jobs.ReasonConfig: 8, jobs.ReasonCredentials: 4, jobs.ReasonSink: 5, jobs.ReasonOvertaken: 7,
		jobs.ReasonAPI: 6, jobs.ReasonInterrupted: 130, jobs.ReasonPartial: 9, jobs.ReasonTooManyFailed: 3,
	}[reason]
}
