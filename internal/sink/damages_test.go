package sink

import (
	commandline "flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateDamages = commandline.Bool("damages", false, "write the table of damages in docs/crash-proof.md anew")

// target is an object that is damaged.
type target struct {
	name   string
	key    func(l *lakes) string
	lake   func(l *lakes) *world
	extra  string               // where a copy of it would be found
	goesOn func(w *world) error // what comes next; a night where it is nil
	except bool                 // its rows are lost with it
	binary bool                 // it is no JSON
}

func at(key string) func(*lakes) string { return func(*lakes) string { return key } }

func atRest(l *lakes) *world     { return l.rest }
func whenKilled(l *lakes) *world { return l.killed }

func targets() []target {
	k := jobKeys("j")
	return []target{
		{name: "record, the first", key: at(k.record(1)), lake: atRest, extra: k.record(11)},
		{name: "record that checkpoints end with", key: at(k.record(9)), lake: atRest, extra: k.record(11)},
		{name: "record, the newest", key: at(k.record(10)), lake: atRest, extra: k.record(11)},
		{name: "record, unpublished", key: at(k.record(12)), lake: whenKilled, extra: k.record(13)},
		{name: "mark, in the middle", key: at(k.published(5)), lake: atRest, extra: k.published(11)},
		{name: "mark, the newest", key: at(k.published(10)), lake: atRest, extra: k.published(11)},
		{name: "cursor object, the newest", key: func(l *lakes) string { return l.rest.lastCursors() }, lake: atRest, extra: k.cursors("run950", 3, 1), binary: true},
		{name: "cursor object, unpublished", key: func(l *lakes) string { return l.killed.lastCursors() }, lake: whenKilled, extra: k.cursors("run950", 3, 1), binary: true},
		{name: "cursor object of a backfill", key: at(k.cursors("run003", 0, 10)), lake: atRest, extra: k.cursors("run950", 3, 2), goesOn: (*world).fillsOn, binary: true},
		{name: "checkpoint, the newest", key: at(k.checkpoint(3, 9)), lake: atRest, extra: k.checkpoint(131, 10), binary: true},
		{name: "checkpoint, the one before", key: at(k.checkpoint(3, 6)), lake: atRest, extra: k.checkpoint(131, 99), binary: true},
		{name: "staging record", key: at(k.staging("run009", 3)), lake: whenKilled, extra: k.staging("run950", 3)},
		{name: "lease", key: at(k.lease(3, "")), lake: whenKilled, extra: k.lease(7, "")},
		{name: "state", key: at(k.state("place")), lake: atRest, extra: k.state("copied")},
		{name: "attempts", key: at(k.attempt("run900", 3, 1)), lake: atRest, extra: k.attempt("run950", 3, 2)},
		{name: "handover", key: at(k.handovers() + "group/5-128.json"), lake: atRest, extra: k.handovers() + "group2/5-128.json"},
		{name: "handover, a chunk", key: at(k.handovers() + "group/run008-5-128-0"), lake: atRest, binary: true},
		{name: "run report", key: at(k.report("run007")), lake: atRest, extra: k.report("run950")},
		{name: "definition of a backfill", key: at(k.definition("history")), lake: atRest, extra: k.definition("history2"), goesOn: (*world).fillsOn},
		{name: "ledger of a backfill", key: at(k.backfillLedger("history")), lake: atRest, extra: k.backfillLedger("history2"), goesOn: (*world).fillsOn},
		{name: "end of a backfill", key: at(k.finished("history")), lake: atRest, extra: k.finished("history2"), goesOn: (*world).fillsOn},
		{
			name: "data file", key: func(l *lakes) string { f, _ := l.rest.file("contracts", 1); return f.Path }, lake: atRest,
			extra: "contracts/ingest_date=2026-11-22/run950-3-1.parquet", except: true, binary: true,
		},
	}
}

// harm is what is done to an object. false says that there is none such of it.
type harm struct {
	name string
	do   func(l *lakes, m *memStore, t target, key string) bool
}

func replaceBy(m *memStore, key string, body []byte) bool {
	if body == nil || string(body) == string(m.objects[key].body) {
		return false
	}
	m.set(key, body, "")
	return true
}

var harms = []harm{
	{"deleted", func(_ *lakes, m *memStore, _ target, key string) bool { delete(m.objects, key); return true }},
	{"emptied", func(_ *lakes, m *memStore, _ target, key string) bool { m.set(key, nil, ""); return true }},
	{"cut off", func(_ *lakes, m *memStore, _ target, key string) bool {
		body := m.objects[key].body
		m.set(key, body[:len(body)/2], "")
		return true
	}},
	{"a bit flipped", func(_ *lakes, m *memStore, t target, key string) bool {
		where := len(m.objects[key].body) / 2
		if t.binary {
			where = 8 // of Parquet, within what is read
		}
		flip(m, key, where)
		return true
	}},
	{"replaced by an older version", func(l *lakes, m *memStore, _ target, key string) bool { return replaceBy(m, key, l.older[key]) }},
	{"replaced by that of another lake", func(l *lakes, m *memStore, _ target, key string) bool {
		other, _ := l.other.store.(*memStore)
		return replaceBy(m, key, other.objects[key].body)
	}},
	{"replaced by that of another job", func(_ *lakes, m *memStore, _ target, key string) bool {
		theirs := strings.Replace(key, "_syncer/j/", "_syncer/other/", 1)
		if theirs == key {
			return false
		}
		if dir := theirs[:strings.LastIndex(theirs, "/")+1]; m.objects[theirs].body == nil { // its keys have other names
			for _, other := range slices.Sorted(keysOfObjects(m)) {
				if strings.HasPrefix(other, dir) && path.Ext(other) == path.Ext(key) {
					theirs = other
				}
			}
		}
		return replaceBy(m, key, m.objects[theirs].body)
	}},
	{"replaced by another of its kind", func(_ *lakes, m *memStore, _ target, key string) bool {
		dir, suffix := key[:strings.LastIndex(key, "/")+1], path.Ext(key)
		for _, other := range slices.Sorted(keysOfObjects(m)) {
			if other != key && strings.HasPrefix(other, dir) && strings.HasSuffix(other, suffix) {
				return replaceBy(m, key, m.objects[other].body)
			}
		}
		return false
	}},
	{"copied to another key", func(_ *lakes, m *memStore, t target, key string) bool {
		return t.extra != "" && replaceBy(m, t.extra, m.objects[key].body)
	}},
	{"something foreign beside", func(_ *lakes, m *memStore, _ target, key string) bool {
		return replaceBy(m, key[:strings.LastIndex(key, "/")+1]+"notes.txt", []byte("hello"))
	}},
}

func keysOfObjects(m *memStore) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m.objects {
			if !yield(key) {
				return
			}
		}
	}
}

// untold are damages that nothing tells of, each with why that is no harm.
var untold = map[string]string{
	"lease, deleted":                                     "it is given back so, too; safety does not rest on it",
	"state, deleted":                                     "a job that has remembered nothing has none",
	"state, replaced by an older version":                "so it stood there; runs bring it forward",
	"attempts, deleted":                                  "so a run clears them away; a bank may be asked once more",
	"handover, deleted":                                  "shards then read the list themselves",
	"run report, deleted":                                "a run may have died before it",
	"ledger of a backfill, deleted":                      "it only spares the reading of the log",
	"ledger of a backfill, replaced by an older version": "the rest is read in the log",
	"record, unpublished, deleted":                       "so it was before the commit: nothing of it is visible, and it is pulled again",
	"staging record, deleted":                            "what is committed is in the log; what was begun besides stays invisible, until a lifecycle rule aborts it",
}

// TestEveryDamageOfALakeIsFoundAndNoneIsSilentlyWrong damages every kind of object in
// every way, asks verify, and lets the next run come: it refuses, or what it leaves is
// the truth. docs/crash-proof.md has what comes out.
func TestEveryDamageOfALakeIsFoundAndNoneIsSilentlyWrong(t *testing.T) { //nolint:tparallel // the one that is not waits for those that are
	t.Parallel()
	l := newLakes(t)
	before := map[*world][]string{}
	for _, w := range []*world{l.rest, l.other, l.killed} {
		v := w.verify()
		if v.ProblemCount > 0 {
			t.Fatalf("before any damage: problems %q", lines(v.Problems))
		}
		before[w] = lines(v.Notes)
	}
	var mu sync.Mutex
	rows := map[string]string{}
	var order []string
	first, step := sample(7) // as there are ten harms, all of them and all targets in turn
	t.Run("damages", func(t *testing.T) {
		for _, tt := range targets() {
			for _, h := range harms {
				name := tt.name + ", " + h.name
				order = append(order, name)
				if len(order)%step != first {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					if row := l.damage(t, tt, h, before[tt.lake(l)]); row != "" {
						mu.Lock()
						defer mu.Unlock()
						rows[name] = row
					}
				})
			}
		}
	})
	if n := len(rows); n < 40/step {
		t.Errorf("%d damages are tried, want at least %d", n, 40/step)
	}
	if !t.Failed() && step == 1 { // the page has all of them
		checkDamagesPage(t, "objects", together(order, rows))
	}
}

// damage does harm to a copy of the lake, and returns the row of the page.
func (l *lakes) damage(t *testing.T, tt target, h harm, before []string) string {
	t.Helper()
	sound := tt.lake(l)
	m := memOf(t, sound).clone()
	w := sound.fork(t, m)
	key := tt.key(l)
	if _, stands := m.objects[key]; !stands {
		t.Fatalf("%s does not stand", key)
	}
	written := m.objects[key].modified
	if !h.do(l, m, tt, key) {
		return ""
	}
	if o, stands := m.objects[key]; stands {
		o.modified = written // so that it ages as before
		m.objects[key] = o
	}
	v := w.verify()
	said := newFindings(v, before)
	name := tt.name + ", " + h.name
	if (untold[name] == "") != (len(said) > 0) {
		t.Errorf("verify says %q; untold for the reason: %s", said, untold[name])
	}
	except := ""
	goesOn := func(w *world) error { return w.goesOn(except) }
	if tt.except && h.name != "copied to another key" && h.name != "something foreign beside" {
		except = key
	}
	if tt.except && except == "" {
		except = tt.extra // readers see it, and verify tells
	}
	if tt.except && h.name == "something foreign beside" {
		except = key[:strings.LastIndex(key, "/")+1] + "notes.txt"
	}
	if tt.goesOn != nil {
		goesOn = tt.goesOn
	}
	w.runs += 40
	next := "right"
	if err := goesOn(w); err != nil {
		t.Log("the next run: ", err)
		next = "refuses"
		if !strings.Contains(err.Error(), system) || !strings.Contains(err.Error(), "record ") && !strings.Contains(err.Error(), "bring") && !strings.Contains(err.Error(), "delete") {
			t.Errorf("it says neither where nor what to do: %v", err)
		}
	} else if after := newFindings(w.verify(), before); len(said) > 0 && len(after) == 0 {
		next = "right, and heals it"
	}
	if t.Failed() {
		return ""
	}
	t.Logf("verify: %q", said)
	return fmt.Sprintf("| %s | %s | %s | %s |\n", tt.name, h.name, inShort(said, untold[name]), next)
}

// together makes one row of those that follow each other and differ in the damage alone.
func together(order []string, rows map[string]string) string {
	var table [][]string
	for _, name := range order {
		cells := strings.Split(rows[name], "|")
		if len(cells) < 6 {
			continue // there is none such
		}
		if n := len(table); n > 0 {
			if last := table[n-1]; last[1] == cells[1] && last[3] == cells[3] && last[4] == cells[4] {
				last[2] = strings.TrimRight(last[2], " ") + ";" + cells[2]
				continue
			}
		}
		table = append(table, cells)
	}
	var text strings.Builder
	for _, cells := range table {
		text.WriteString(strings.Join(cells, "|"))
	}
	return text.String()
}

// newFindings are those that were not there before: problems first.
func newFindings(v *Verification, before []string) (said []string) {
	for kind, findings := range map[string][]Finding{"1problem": v.Problems, "2note": v.Notes} {
		for i, line := range lines(findings) {
			if !slices.Contains(before, line) {
				said = append(said, kind+": "+findings[i].What)
			}
		}
	}
	slices.SortStableFunc(said, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
	for i := range said {
		said[i] = said[i][1:]
	}
	return said
}

var (
	aKey    = regexp.MustCompile(`\b(_syncer|contracts|pulls)/[^ :;,)]+`)
	aSum    = regexp.MustCompile(`[0-9a-f]{64}`)
	aNumber = regexp.MustCompile(`\b(run)?[0-9]+\b`)
)

// inShort is what verify says as the page has it: the first of its findings, without
// names, numbers and what follows a colon.
func inShort(said []string, untold string) string {
	if len(said) == 0 {
		return "nothing: " + untold
	}
	kind, what, _ := strings.Cut(said[0], ": ")
	what = aNumber.ReplaceAllString(aSum.ReplaceAllString(aKey.ReplaceAllString(what, "…"), "…"), "n")
	what, _, _ = strings.Cut(what, ": ")
	what, _, _ = strings.Cut(what, " (")
	return kind + ": " + what
}

const damagesPage = "../../docs/crash-proof.md"

// checkDamagesPage compares a table of the page, between two marks, with what came out.
func checkDamagesPage(t *testing.T, name, table string) {
	t.Helper()
	body, err := os.ReadFile(damagesPage)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- damages: "+name+" -->\n", "<!-- end of damages: "+name+" -->"
	head, rest, ok := strings.Cut(string(body), begin)
	had, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table %q", damagesPage, name)
	}
	want := "| object | damage | `verify` says | the next run |\n|---|---|---|---|\n" + table
	if *updateDamages {
		if err := os.WriteFile(damagesPage, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(had, want); diff != "" {
		t.Errorf("%s (-has +came out; go test ./internal/sink -run EveryDamageOfALake -damages writes it):\n%s", damagesPage, diff)
	}
}
