package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"

	"github.com/google/go-cmp/cmp"
)

// truth is the set of a table's keys that the API knows now, by user.
func (b *bank) truth(table string, columns ...string) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for row := range b.Truth(table) {
		parts := make([]string, 0, len(columns))
		for _, c := range columns {
			parts = append(parts, fmt.Sprint(row[c]))
		}
		id := fmt.Sprint(row["user_id"])
		if all[id] == nil {
			all[id] = map[string]bool{}
		}
		all[id][strings.Join(parts, "\x00")] = true
	}
	return all
}

// lacks counts what is in a and not in b.
func lacks(a, b map[string]bool) (n int) {
	for k := range a {
		if !b[k] {
			n++
		}
	}
	return n
}

func TestProbingBankingAsksTheOthersOnceAWeek(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(7), func(b *bank) {
		t := b.t
		lines := []string{"probe: banking", "streams: [transactions, categorization, contracts]"}
		b.run(lines...)
		all := map[int]int{}
		for range 7 {
			b.Night()
			b.run(lines...)
			for u := range 7 {
				asked := b.asked(u)
				switch asked["correlation contracts"] {
				case 0:
					if diff := cmp.Diff(map[string]int{"correlation banking": 1}, asked); diff != "" {
						t.Errorf("user %d: %s", u, diff)
					}
				case 1:
					all[u]++
					if len(asked) != 3 {
						t.Errorf("user %d: %v", u, asked)
					}
				}
			}
		}
		for u := range 7 {
			if all[u] != 1 {
				t.Errorf("user %d: all services were asked %d times in a week", u, all[u])
			}
		}
	})
}

func TestProbingBankingPullsEveryServiceOfAUserWhoMoved(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(4), func(b *bank) {
		t := b.t
		lines := []string{"probe: banking", "streams: [transactions, categorization, contracts]"}
		b.run(lines...)
		b.Night()
		rep := b.run(lines...)
		if rep.Streams[config.StreamTransactions].Pulled == 0 || rep.Streams[config.StreamContracts].Pulled != rep.Streams[config.StreamTransactions].Pulled {
			t.Errorf("transactions %+v, contracts %+v", rep.Streams[config.StreamTransactions], rep.Streams[config.StreamContracts])
		}
	})
}

func TestCategorizationFullFindsTagsThatWereRemoved(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(5)
	o.RemoveTags = true
	inBubble(t, o, func(b *bank) {
		t := b.t
		lines := []string{"categorization: full", "streams: [categorization]"}
		first := b.run(lines...)
		known := b.truth("categorization", "transaction_id", "tag")
		removed := 0
		for range 4 {
			b.Night()
			rep := b.run(lines...)
			now := b.truth("categorization", "transaction_id", "tag")
			added, gone := 0, 0
			for id := range now {
				added += lacks(now[id], known[id])
				gone += lacks(known[id], now[id])
			}
			got := rep.Streams[config.StreamCategorization]
			if int(got.Rows) != added || int(got.Deletes) != gone {
				t.Errorf("%d tags were added and %d removed, written %+v", added, gone, got)
			}
			removed += gone
			known = now
		}
		if removed == 0 || first.Streams[config.StreamCategorization].Rows == 0 {
			t.Error("no tag was removed: nothing is shown")
		}
	})
}

func TestADiffOfCategorizationIsSmallUntilTheAPINoLongerKnowsItsStart(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, http.StatusBadRequest, http.StatusNotFound, http.StatusGone} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			o := banktest.Steady(3)
			o.CategorizationPageSize = 100_000
			if status != 0 {
				o.UnknownCorrelation, o.KeepAnalyses = status, 1
			}
			inBubble(t, o, func(b *bank) {
				t := b.t
				first := b.run("streams: [categorization]")
				before := b.cursors()
				b.Night()
				rep := b.run("streams: [categorization]")
				after := b.cursors()
				for u := range 3 {
					was, is := before[b.UserID(u)][config.StreamCategorization], after[b.UserID(u)][config.StreamCategorization]
					if is.CorrelationID == was.CorrelationID {
						continue // not analysed
					}
					requests, full := 1, false
					if status != 0 {
						requests, full = 2, true
					}
					if b.asked(u)["categorization"] != requests || is.FullAt.Equal(was.FullAt) == full || b.asked(u)["user"] != 0 {
						t.Errorf("user %d: asked %v, full pull %v -> %v", u, b.asked(u), was.FullAt, is.FullAt)
					}
				}
				small := rep.Streams[config.StreamCategorization].Rows < first.Streams[config.StreamCategorization].Rows/4
				if rep.Streams[config.StreamCategorization].Pulled == 0 || small != (status == 0) {
					t.Errorf("first %+v, then %+v", first.Streams[config.StreamCategorization], rep.Streams[config.StreamCategorization])
				}
			})
		})
	}
}

func TestTransactionsThatVanishFromTheWindowAreDeleted(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(5), func(b *bank) {
		t := b.t
		b.run("streams: [transactions]")
		vanished, cursors, known := 0, b.cursors(), b.truth("transactions", "transaction_id")
		for range 3 {
			b.Night()
			rep := b.run("streams: [transactions]")
			after, now := b.cursors(), b.truth("transactions", "transaction_id")
			deletes := 0
			for id := range now {
				is := after[id][config.StreamTransactions]
				if is.FullAt.Equal(cursors[id][config.StreamTransactions].FullAt) {
					deletes += lacks(known[id], now[id])
				}
				ids, err := pull.RememberedTransactions(is.State)
				if err != nil {
					t.Fatal(err)
				}
				for _, seen := range ids {
					if !now[id][seen] {
						t.Error("a transaction that is no more is remembered")
					}
				}
			}
			if got := b.changes(rep)["transactions"].Deletes; int(got) != deletes {
				t.Errorf("%d transactions vanished, %d were deleted", deletes, got)
			}
			vanished += deletes
			known, cursors = now, after
		}
		if vanished == 0 {
			t.Error("no transaction vanished: nothing is shown")
		}
	})
}

// hiding leaves some accounts out of what the API says.
func (b *bank) hiding(accounts []string) http.RoundTripper {
	return via{nil, func(r *http.Request) (*http.Response, error) {
		resp, err := b.Transport().RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(r.URL.Path, "/banking/") || strings.HasSuffix(r.URL.Path, "/correlation") {
			return resp, err
		}
		return rewritten(resp, func(body []byte) []byte {
			var list []map[string]any
			var wrapped struct {
				Accounts []map[string]any `json:"accounts"`
			}
			if json.Unmarshal(body, &list) != nil {
				_ = json.Unmarshal(body, &wrapped)
				list = wrapped.Accounts
			}
			list = slices.DeleteFunc(list, func(m map[string]any) bool {
				id, _ := m["accountId"].(string)
				return slices.Contains(accounts, id)
			})
			out, _ := json.Marshal(list)
			if wrapped.Accounts != nil {
				out = []byte(`{"accounts":` + string(out) + `}`)
			}
			return out
		})
	}}
}

func rewritten(resp *http.Response, f func([]byte) []byte) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	body = f(body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

func TestTwoAccountsThatAppearAtOnceMeanOneFullPull(t *testing.T) {
	t.Parallel()
	// Without the stream accounts, a window has to show the new ones first.
	for streams, requests := range map[string]int{"[accounts, transactions]": 1, "[transactions]": 2} {
		t.Run(streams, func(t *testing.T) {
			t.Parallel()
			o := banktest.Steady(20)
			o.Plain = true
			inBubble(t, o, func(b *bank) {
				t := b.t
				user, accounts := b.busiest(2)
				run := func() *report.Report {
					o := b.options(b.config("streams: " + streams))
					o.Users = []string{b.UserID(user)}
					rep, err := b.try(t.Context(), o)
					if err != nil {
						t.Fatal(err)
					}
					return rep
				}
				b.transport = b.hiding(accounts)
				first := run()
				b.transport = b.Transport()
				b.Night()
				rep := run()
				all := len(b.truth("transactions", "transaction_id")[b.UserID(user)])
				if got := rep.Streams[config.StreamTransactions]; b.asked(user)["transactions"] != requests || int(got.Rows) != all || got.Deletes > 0 {
					t.Errorf("of %d transactions: first %+v, then %+v, asked %v", all, first.Streams[config.StreamTransactions], got, b.asked(user))
				}
			})
		})
	}
}

// busiest finds a user with more than n accounts, and the n with the most
// transactions: those of the others are seen less often.
func (b *bank) busiest(n int) (user int, accounts []string) {
	b.t.Helper()
	all := map[string]map[string]int{}
	for row := range b.Truth("transactions") {
		id := fmt.Sprint(row["user_id"])
		if all[id] == nil {
			all[id] = map[string]int{}
		}
		all[id][fmt.Sprint(row["account_id"])]++
	}
	for u := range b.Users() {
		has := all[b.UserID(u)]
		if len(has) <= n {
			continue
		}
		accounts = slices.SortedFunc(maps.Keys(has), func(x, y string) int { return has[y] - has[x] })
		return u, accounts[:n]
	}
	b.t.Fatalf("nobody has more than %d accounts", n)
	return 0, nil
}

func TestAmountsThatFitNoColumnAreCountedAndFailNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		amount := regexp.MustCompile(`(?i)("amount":\s*)-?[0-9.]+`)
		pulled := 0
		b.transport = via{nil, func(r *http.Request) (*http.Response, error) {
			resp, err := b.Transport().RoundTrip(r)
			if err != nil || !strings.HasSuffix(r.URL.Path, "/transactions") {
				return resp, err
			}
			return rewritten(resp, func(body []byte) []byte {
				at := amount.FindSubmatchIndex(body)
				if at == nil {
					return body
				}
				pulled++
				return slices.Concat(body[:at[3]], []byte("123456789012345.67891"), body[at[1]:])
			})
		}}
		rep := b.run("streams: [transactions]", "concurrency: 1")
		if pulled == 0 || rep.Issues["inexact"].Count != int64(pulled) || rep.Users.Failed != 0 {
			t.Errorf("%d amounts do not fit, counted %d; %+v", pulled, rep.Issues["inexact"].Count, rep.Users)
		}
		// A pull that is too large to hold is decoded twice, and counts once.
		pulled = 0
		o := b.options(b.config("streams: [transactions]", "concurrency: 1"))
		o.Full, o.Config.Jobs["nightly"].MaxInflightBytes = true, 1
		if rep, err := b.try(t.Context(), o); err != nil || rep.Issues["inexact"].Count != int64(pulled) {
			t.Errorf("%v: %d amounts do not fit, counted %d", err, pulled, rep.Issues["inexact"].Count)
		}
	})
}

func TestExtractionTimesGrowWhateverTheClockDoes(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(3), func(b *bank) {
		t := b.t
		clock := b.Now()
		b.now = func() time.Time { return clock }
		var before map[string]map[config.Stream]cursors.Cursor
		for night, step := range []time.Duration{0, 0, -365 * 24 * time.Hour, 400 * 24 * time.Hour} {
			clock = clock.Add(step)
			b.run("streams: [users, accounts, contracts, account_history]")
			after := b.cursors()
			moved := 0
			for id, streams := range after {
				used := map[time.Time]bool{}
				for s, c := range streams {
					if used[c.ExtractedAt] {
						t.Errorf("night %d: two streams of a user have one extraction time", night)
					}
					used[c.ExtractedAt] = true
					was, known := before[id][s]
					if known && c.CorrelationID != was.CorrelationID {
						moved++
						if !c.ExtractedAt.After(was.ExtractedAt) {
							t.Errorf("night %d: %s went from %s to %s", night, s, was.ExtractedAt, c.ExtractedAt)
						}
					}
				}
			}
			if night > 0 && moved == 0 {
				t.Errorf("night %d: nothing moved", night)
			}
			before = after
			b.Night()
		}
	})
}

func TestPullsThatDoNotFitIntoMemoryWriteTheSame(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(5), func(held *bank) {
		t := held.t
		spilled := newBank(t, banktest.Steady(5))
		for night := 1; night <= 3; night++ {
			want := held.run()
			o := spilled.options(spilled.config())
			o.Config.Jobs["nightly"].MaxInflightBytes = 1
			got, err := spilled.try(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Streams, got.Streams); diff != "" {
				t.Errorf("night %d (-held +spilled): %s", night, diff)
			}
			if diff := cmp.Diff(held.log()[night-1].Tables, spilled.log()[night-1].Tables); diff != "" {
				t.Errorf("night %d, committed (-held +spilled): %s", night, diff)
			}
			a, z := held.cursors(), spilled.cursors()
			for id, streams := range a {
				for s, c := range streams {
					if string(c.State) != string(z[id][s].State) {
						t.Errorf("night %d: another state of %s", night, s)
					}
				}
			}
			held.Night()
			spilled.Night()
		}
	})
}
