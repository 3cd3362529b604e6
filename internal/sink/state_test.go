package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
	"finoos-syncer/internal/sink/cursors"
)

const stateKey = "_syncer/j/state/counter.json"

// count adds one to a counter: what is merged twice, or over something older than
// what stands, shows in the sum.
func count(ctx context.Context, wr *Writer) (merged int, err error) {
	err = wr.UpdateState(ctx, "counter", func(old []byte) ([]byte, error) {
		merged++
		n := 0
		if err := json.Unmarshal(old, &n); old != nil && err != nil {
			return nil, err
		}
		return json.Marshal(n + 1)
	})
	return merged, err
}

func (w *world) wantCount(want string) {
	w.t.Helper()
	if got, err := ReadState(w.t.Context(), w.store, w.job, "counter"); string(got) != want || err != nil {
		w.t.Errorf("state: %q, %v; want %q", got, err, want)
	}
}

// openOver opens a run over a store, and closes it with the test.
func (w *world) openOver(store bucket.Store) *Writer {
	w.t.Helper()
	wr, err := w.open(w.t.Context(), store)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := context.WithoutCancel(w.t.Context()) // which has ended when the test has
	w.t.Cleanup(func() { _ = wr.Close(ctx) })
	return wr
}

func TestStateIsKeptBetweenRunsOnEveryStore(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(*testing.T) bucket.Store{
		"memory": func(*testing.T) bucket.Store { return newMemStore() },
		"folder": folderOf,
		"S3": func(t *testing.T) bucket.Store {
			t.Helper()
			server := s3test.Start(t)
			return openS3(t, server, server.URL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, store(t), cursors.Shard{Count: 1}, 1)
			w.wantCount("")
			const shards, each = 4, 3
			var runs []func()
			for _, part := range w.shards(shards) {
				wr := part.mustOpen()
				if got, err := wr.ReadState(t.Context(), "counter"); got != nil || err != nil {
					t.Errorf("before the first: %q, %v", got, err)
				}
				runs = append(runs, func() {
					for range each {
						if _, err := count(t.Context(), wr); err != nil {
							t.Errorf("shard %d: %v", part.shard.Index, err)
						}
					}
					part.mustClose(wr)
				})
			}
			group(runs...)
			w.wantCount(strconv.Itoa(shards * each))
			w.mustRun()
			w.wantCount(strconv.Itoa(shards * each))
		})
	}
}

// TestAStateIsWrittenOnceWhateverTheStoreAnswers: refused with 409 or 412, lost on
// its way or only in its answer, the first write as well as one over another.
func TestAStateIsWrittenOnceWhateverTheStoreAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		answer  error
		applied bool
		merges  int
	}{
		"conflict":                          {bucket.ErrConflict, false, 2},
		"refused":                           {bucket.ErrPrecondition, false, 2},
		"repeated below, and finds its own": {bucket.ErrPrecondition, true, 1},
		"conflict with its own":             {bucket.ErrConflict, true, 1},
		"lost":                              {errInjected, false, 2},
		"the answer lost":                   {errInjected, true, 1},
	} {
		for _, before := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s over %d", name, before), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
				struck := before > 0
				hook := &putHook{Store: w.police}
				hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
					if key != stateKey || struck {
						return next()
					}
					struck = true
					if fault.applied {
						if _, err := next(); err != nil {
							return bucket.Info{}, err
						}
					}
					return bucket.Info{}, fault.answer
				}
				wr := w.openOver(hook)
				if before > 0 {
					if _, err := count(t.Context(), wr); err != nil {
						t.Fatal(err)
					}
					struck = false
				}
				if merged, err := count(t.Context(), wr); merged != fault.merges || err != nil || !struck {
					t.Errorf("%d merges, %v, want %d; struck %v", merged, err, fault.merges, struck)
				}
				w.wantCount(strconv.Itoa(before + 1))
			})
		}
	}
}

// TestWhatAnotherWroteMeanwhileIsMergedIn: the same bytes as one's own, too.
func TestWhatAnotherWroteMeanwhileIsMergedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 2}, 1)
	other := *w
	other.shard, other.runs = cursors.Shard{Index: 1, Count: 2}, 100
	beside := other.openOver(w.police)
	met := false
	hook := &putHook{Store: w.police}
	hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
		if key == stateKey && !met {
			met = true
			if _, err := count(t.Context(), beside); err != nil {
				t.Error(err)
			}
		}
		return next()
	}
	if merged, err := count(t.Context(), w.openOver(hook)); merged != 2 || err != nil {
		t.Errorf("%d merges, %v", merged, err)
	}
	w.wantCount("2")
}

func TestAStateThatCannotBeWrittenIsAnErrorUnlessItStands(t *testing.T) {
	t.Parallel()
	for _, arrives := range []bool{false, true} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
		puts := 0
		hook := &putHook{Store: w.police}
		hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
			if key != stateKey {
				return next()
			}
			if puts++; puts == impatient.attempts && arrives {
				_, _ = next() // it stands then, or the test fails
			}
			return bucket.Info{}, errInjected
		}
		_, err := count(t.Context(), w.openOver(hook))
		if puts != impatient.attempts || arrives != (err == nil) || err != nil && !errors.Is(err, errInjected) {
			t.Errorf("arrives at last %v: %v after %d writes", arrives, err, puts)
		}
	}
}

func TestARefusedStateIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{bucket.ErrDenied, bucket.ErrUnsupported} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
		hook := &putHook{Store: w.police}
		hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
			if key == stateKey {
				return bucket.Info{}, refusal
			}
			return next()
		}
		if merged, err := count(t.Context(), w.openOver(hook)); merged != 1 || !errors.Is(err, refusal) {
			t.Errorf("%d merges, %v; want %v at once", merged, err, refusal)
		}
	}
}

// TestAnOvertakenRunWritesNoState: its lease is another's, or another has come and
// gone, whose record alone tells; before it is asked, or between reading and
// writing.
func TestAnOvertakenRunWritesNoState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, leaves := range []bool{true, false} {
			for _, within := range []bool{true, false} {
				w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 2)
				overtake := func() {
					time.Sleep(2 * testTTL)
					wr := w.openOver(w.police)
					if _, err := count(t.Context(), wr); err != nil {
						t.Error(err)
					}
					w.addAll(wr)
					w.mustCommit(wr)
					if leaves {
						w.mustClose(wr)
					}
				}
				hook := &putHook{Store: w.police}
				hook.put = func(_ int, key string, next func() (bucket.Info, error)) (bucket.Info, error) {
					if key == stateKey && within {
						within = false
						overtake()
					}
					return next()
				}
				sleeper := w.openOver(hook)
				sleeper.lease.halt()
				if !within {
					overtake()
				}
				if _, err := count(t.Context(), sleeper); !errors.Is(err, ErrOvertaken) {
					t.Errorf("leaves %v: update: %v, want %v", leaves, err, ErrOvertaken)
				}
				w.wantCount("1")
				if err := sleeper.Err(); !errors.Is(err, ErrOvertaken) {
					t.Errorf("leaves %v: the run goes on: %v", leaves, err)
				}
			}
		}
	})
}

func TestAClosedRunWritesNoState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	wr := w.mustOpen()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := count(ctx, wr); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w.mustClose(wr)
	if merged, err := count(t.Context(), wr); merged != 0 || !errors.Is(err, errClosed) {
		t.Errorf("%d merges, %v; want %v", merged, err, errClosed)
	}
	w.wantCount("")
}

// TestADamagedStateIsReadAsNoneAndWrittenAnew: whatever stands there.
func TestADamagedStateIsReadAsNoneAndWrittenAnew(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		" ", "{", "[]", "7", "null", `"text"`, `{}`, `{"limit": 5}`, "\x00\xff", "PAR1",
		`{"version":1,"nonce":"n"}`, `{"version":1,"nonce":"n","state":null}`, `{"version":1,"state":7}`, `{"version":-1,"nonce":"n","state":7}`,
		`{"version":1,"nonce":"n","state":7`, `{"version":"1","nonce":"n","state":7}`,
		strings.Repeat("[", 100_000), strings.Repeat("x", maxState+1),
		`{"version":1,"nonce":"n","state":"` + strings.Repeat("x", maxState) + `"}`,
	} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
		if _, err := w.store.Put(t.Context(), stateKey, []byte(body), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadState(t.Context(), w.store, "j", "counter"); got != nil || !errors.Is(err, ErrState) {
			t.Errorf("%.40q is read as %.40q, %v", body, got, err)
		}
		found, err := Verify(t.Context(), VerifyOptions{Store: w.store, Job: "j", ScratchDir: t.TempDir()})
		if err != nil || len(found.Notes) != 1 || found.Notes[0].Where != stateKey || found.ProblemCount != 0 {
			t.Errorf("%.40q: verify: %+v, %v; want a note", body, found, err)
		}
		if _, err := count(t.Context(), w.openOver(w.police)); err != nil {
			t.Errorf("%.40q: %v", body, err)
		}
		w.wantCount("1")
	}
}

func TestANewerProgramsStateIsNotReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	newer := []byte(`{"version":2,"something":"else"}`)
	if _, err := w.store.Put(t.Context(), stateKey, newer, bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
	if merged, err := count(t.Context(), w.openOver(w.police)); merged != 0 || !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("%d merges, %v", merged, err)
	}
	if got, _, err := w.store.Get(t.Context(), stateKey); string(got) != string(newer) || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAStateIsLeftOrRefusedAsItsMergeSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	wr := w.openOver(w.police)
	if _, err := count(t.Context(), wr); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		state string // "" for nil
		err   error
		want  string // of the error
	}{
		"left as it is": {},
		"an error":      {err: errInjected, want: errInjected.Error()},
		"no JSON":       {state: "no", want: "encode state"},
		"nothing":       {state: "null", want: "encode state"},
		"too much":      {state: `"` + strings.Repeat("x", maxState) + `"`, want: "at most"},
	} {
		err := wr.UpdateState(t.Context(), "counter", func([]byte) ([]byte, error) {
			if test.state == "" {
				return nil, test.err
			}
			return []byte(test.state), test.err
		})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		w.wantCount("1")
	}
}

func TestNamesOfStateThatWouldBreakKeysAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	wr := w.openOver(w.police)
	before := w.list("")
	for _, name := range []string{"", "a/b", "..", "a.b", "Place", "ä", "a b", strings.Repeat("x", 101)} {
		_, err := wr.ReadState(t.Context(), name)
		if err == nil {
			t.Errorf("%q is read", name)
		}
		if err := wr.UpdateState(t.Context(), name, func([]byte) ([]byte, error) { return []byte("1"), nil }); err == nil {
			t.Errorf("%q is written", name)
		}
	}
	if _, err := ReadState(t.Context(), w.store, "../x", "place"); err == nil {
		t.Error("the state of a job that is none is read")
	}
	if after := w.list(""); !slices.Equal(before, after) {
		t.Errorf("%v has become %v", before, after)
	}
}

// TestARunKnowsWhereItStandsInTheLog: commits of other shards between its own do
// not move it.
func TestARunKnowsWhereItStandsInTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 8)
	parts := w.shards(2)
	a, b := parts[0], parts[1]
	a.mustRun()
	wr := a.mustOpen()
	if got := wr.Seq(); got != wr.Opened() || got == 0 {
		t.Errorf("opened at %d, stands at %d", wr.Opened(), got)
	}
	opened := wr.Seq()
	b.mustRun()
	if got := wr.Seq(); got != opened {
		t.Errorf("another shard's commit has moved it from %d to %d", opened, got)
	}
	a.night()
	a.addAll(wr)
	if r := a.mustCommit(wr); wr.Seq() != r.Seq || r.Seq <= opened {
		t.Errorf("committed %d, stands at %d, stood at %d", r.Seq, wr.Seq(), opened)
	}
	a.mustClose(wr)
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"run_id":"r","nonce":"n","state":{"seq":1}}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseState(body)
		if err == nil && !json.Valid(o.State) {
			t.Errorf("%q is taken for state", o.State)
		}
	})
}
