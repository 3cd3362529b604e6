package sink

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/cursors"
)

// damage is what can happen to a lake, and what is to be said of it.
type damage struct {
	do func(w *world, m *memStore)
	// where and what each have to be part of one problem, the only one.
	where, what string
}

// file returns the n-th file of a table, and what record it is of.
func (w *world) file(table string, n int) (f File, of *Record) {
	w.t.Helper()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range r.Files {
			if f.Table == table {
				if n == 0 {
					return f, r
				}
				n--
			}
		}
	}
	w.t.Fatalf("no such file of %s", table)
	return f, nil
}

// rewrite changes a record where it stands.
func (w *world) rewrite(m *memStore, seq uint64, change func(*Record)) {
	w.t.Helper()
	key := jobKeys(w.job).record(seq)
	r, err := parseRecord(m.objects[key].body, seq)
	if err != nil {
		w.t.Fatal(err)
	}
	change(r)
	body, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	m.set(key, body, "")
}

func changeTable(seq uint64, name string, change func(*TableChanges)) func(*world, *memStore) {
	return func(w *world, m *memStore) {
		w.rewrite(m, seq, func(r *Record) {
			t := r.Tables[name]
			change(&t)
			r.Tables[name] = t
		})
	}
}

func flip(m *memStore, key string, at int) {
	body := slices.Clone(m.objects[key].body)
	body[(at+len(body))%len(body)] ^= 1
	m.set(key, body, m.objects[key].token)
}

var damages = map[string]damage{
	"a file is gone": {
		func(w *world, m *memStore) { f, _ := w.file("contracts", 1); delete(m.objects, f.Path) },
		"contracts/", "record 2 names it, but it is not there",
	},
	"a file is cut off": {func(w *world, m *memStore) {
		f, _ := w.file("pulls", 0)
		m.set(f.Path, m.objects[f.Path].body[:f.Bytes-1], "")
	}, "pulls/", "bytes, record 1 says"},
	"a bit of a file has flipped": {
		func(w *world, m *memStore) { f, _ := w.file("contracts", 0); flip(m, f.Path, 5) },
		"contracts/", "has the checksum",
	},
	"a record says more rows than its file holds": {
		func(w *world, m *memStore) { w.rewrite(m, 1, func(r *Record) { r.Files[0].Rows++ }) },
		"/ingest_date=", "rows, record 1 says",
	},
	"a record says more upserts": {changeTable(1, "contracts", func(c *TableChanges) { c.Upserts++ }), "/log/", "sums up table contracts as"},
	"a record says deletes": {
		changeTable(2, "pulls", func(c *TableChanges) { c.Deletes, c.Upserts = 1, c.Upserts-1 }), "/log/", "sums up table pulls as",
	},
	"a record says another sum": {
		changeTable(1, "contracts", func(c *TableChanges) { c.Sums["amount"] += "1" }), "/log/", "in column amount, its files hold",
	},
	"a record leaves a sum out": {
		changeTable(1, "contracts", func(c *TableChanges) { c.Sums = nil }), "/log/", "in column amount, its files hold",
	},
	"a record sums up a table that it has no file of": {
		changeTable(1, "users", func(c *TableChanges) { c.Upserts = 7 }), "/log/", "sums up table users as 7 upserts, its files hold 0",
	},
	"a record names a file of another": {func(w *world, m *memStore) {
		f, first := w.file("pulls", 0)
		w.rewrite(m, first.Seq+1, func(r *Record) {
			r.Files = append(r.Files, f)
			t := r.Tables["pulls"]
			t.Upserts += f.Rows
			r.Tables["pulls"] = t
		})
	}, "/log/", "names a file that another record has named: pulls/"},
	"a mark is unreadable": {
		func(w *world, m *memStore) { m.set(jobKeys(w.job).published(2), []byte("{"), "") }, "2.published", "cannot be read",
	},
	"a mark claims a void": {func(w *world, m *memStore) {
		m.set(jobKeys(w.job).published(2), []byte(`{"run_id":"x","voided_by":3}`), "")
	}, "2.published", "says that record 3 takes this one back, but it does not"},
	"a file that nobody committed": {
		func(_ *world, m *memStore) { m.set("accounts/x.parquet", []byte("PAR1"), "") },
		"accounts/x.parquet", "no commit of any job names it",
	},
	"a file of another kind": {
		func(_ *world, m *memStore) { m.set("contracts/ingest_date=2026-11-22/notes.txt", []byte("hello"), "") },
		"notes.txt", "no commit of any job names it",
	},
	"something strange in the log": {
		func(w *world, m *memStore) { m.set(jobKeys(w.job).log()+"7.json", []byte("{}"), "") }, "log/7.json", "is no part of a log",
	},
	"cursors are gone": {func(w *world, m *memStore) {
		delete(m.objects, w.lastCursors())
	}, "/cursors/", "no checkpoints stand in for it, but it is not there"},
	"cursors are cut off": {func(w *world, m *memStore) {
		key := w.lastCursors()
		m.set(key, m.objects[key].body[:100], "")
	}, "/cursors/", "cannot be read"},
	"cursors are others": {func(w *world, m *memStore) {
		body, _, err := cursors.Encode([]cursors.Cursor{{UserID: "somebody", Stream: worldStream}})
		if err != nil {
			w.t.Fatal(err)
		}
		m.set(w.lastCursors(), body, "")
	}, "/cursors/", "holds 1 cursors"},
	"a checkpoint is cut off": {func(w *world, m *memStore) {
		keys := w.list(jobKeys(w.job).checkpoints())
		m.set(keys[len(keys)-1], []byte("PAR1"), "")
	}, "/checkpoints/", "cannot be read"},
}

// lastCursors is the newest cursor object, which no checkpoints cover twice.
func (w *world) lastCursors() (key string) {
	w.t.Helper()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		key = r.Cursors.Path
	}
	return key
}

func TestEveryDamageIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	sound := threeNights(t)
	for name, tt := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, ok := sound.store.(*memStore)
			if !ok {
				t.Fatal("the lake is not in memory")
			}
			store = store.clone()
			w := sound.fork(t, store)
			tt.do(w, store)
			v := w.verify()
			if len(v.Problems) != 1 || v.ProblemCount != 1 || v.NoteCount != 0 {
				t.Fatalf("problems %q, notes %q; want one problem", lines(v.Problems), lines(v.Notes))
			}
			if p := v.Problems[0]; !strings.Contains(p.Where, tt.where) || !strings.Contains(p.What, tt.what) || p.Do == "" {
				t.Errorf("got %+v, want %q %q and what to do", p, tt.where, tt.what)
			}
		})
	}
}

func TestAFileOfABrokenRecordIsNotCalledAStranger(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]func(m *memStore, key string){
		"gone":       func(m *memStore, key string) { delete(m.objects, key) },
		"unreadable": func(m *memStore, key string) { m.set(key, []byte("{"), "") },
		"another's":  func(m *memStore, key string) { m.set(key, []byte(`{"version":1,"seq":2,"job":"other"}`), "") },
	} {
		for _, job := range []string{"j", "other"} {
			w := threeNights(t)
			store, ok := w.store.(*memStore)
			if !ok || job == "other" && name == "another's" {
				continue
			}
			hurt(store, jobKeys(job).record(map[string]uint64{"j": 2, "other": 1}[job]))
			v := w.verify()
			if len(v.Problems) < 2 {
				t.Fatalf("%s of %s: problems %q; want the record and its files", name, job, lines(v.Problems))
			}
			for i, p := range v.Problems {
				if isRecord := strings.Contains(p.Where, "/log/"); isRecord != (i == 0) || !isRecord && p.Do != doLogFirst {
					t.Errorf("%s of %s: %+v", name, job, p)
				}
			}
		}
	}
}
