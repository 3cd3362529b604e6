package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
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

// judge compares the lake with the truth of each night. What the views say of all
// nights is asked for at once: the tables hold each row once for every night from
// its own on, and the night stands before the user's id.
func (r *reader) judge(t *testing.T) []verdict {
	t.Helper()
	l := &lake{dir: r.dir, db: openDuckDB(t, "")}
	defer l.close()
	l.exec(t, "SET TimeZone = 'UTC'; SET threads = 1")
	values := make([]string, len(r.nights))
	for i, n := range r.nights {
		values[i] = fmt.Sprintf("(%d, '%s')", i, n.report.RunID)
	}
	l.exec(t, "CREATE TABLE nights AS SELECT * FROM (VALUES "+strings.Join(values, ", ")+") AS _(night, run)")
	for _, s := range l.statements(t) {
		if isTable(s.Name) {
			s.SQL = strings.Replace(s.SQL, "CREATE OR REPLACE VIEW "+s.Name, "CREATE OR REPLACE VIEW raw_"+s.Name, 1) +
				fmt.Sprintf("; CREATE TABLE %[1]s AS SELECT raw.* REPLACE (later.night || ' ' || raw.user_id AS user_id) "+
					"FROM raw_%[1]s raw JOIN nights own ON own.run = raw._run_id JOIN nights later ON later.night >= own.night", s.Name)
		}
		l.exec(t, s.SQL)
	}
	current := make([]map[string][]row, len(r.nights))
	for i := range current {
		current[i] = map[string][]row{}
	}
	for _, tb := range tables {
		query := "SELECT " + selectList(tb.withExtra()) + " FROM current_" + tb.name
		switch {
		case tb.name == "pulls":
			query = `SELECT user_id, stream, outcome, error_class FROM pulls
				QUALIFY row_number() OVER (PARTITION BY user_id, stream ORDER BY _extracted_at DESC) = 1`
		case tb.history:
			continue
		}
		for _, rec := range l.query(t, query) {
			night, id, _ := strings.Cut(fmt.Sprint(rec["user_id"]), " ")
			i, err := strconv.Atoi(night)
			if err != nil {
				t.Fatalf("%s of night %q: %v", tb.name, night, err)
			}
			rec["user_id"] = id
			current[i][tb.name] = append(current[i][tb.name], rec)
		}
	}
	verdicts := make([]verdict, len(r.nights))
	for i := range r.nights {
		verdicts[i] = r.judgeNight(i, current[i])
	}
	return verdicts
}

func (r *reader) judgeNight(i int, current map[string][]row) verdict {
	n := r.nights[i]
	v := verdict{exit: exitOf(n.err), said: map[string]string{}, users: map[string]bool{}}
	if n.err != nil {
		v.says = n.err.Error()
	}
	for _, p := range current["pulls"] {
		if p["outcome"] != "pulled" {
			v.said[fmt.Sprint(p["user_id"], " ", p["stream"])] = strings.TrimSuffix(fmt.Sprint(p["outcome"], " ", p["error_class"]), " <nil>")
		}
	}
	for _, tb := range tables {
		if !tb.history {
			v.gaps = append(v.gaps, gaps(whole(tb), n.truth[tb.name], current[tb.name])...)
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
		g = canonicalRow(tb, g)
		k := keyOf(tb, g)
		one := gap{table: tb.name, user: fmt.Sprint(g["user_id"]), key: k, got: g}
		if rows := want[k]; len(rows) > 0 && !seen[k] {
			one.want = rows[0]
			if slices.ContainsFunc(rows, func(w row) bool { return sameRow(w, g) || sameRow(w, canonical(tb, g)) }) {
				seen[k] = true
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
	tb := whole(tableNamed(g.table))
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
