package jobs

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// backfillOptions are those of a backfill from a day on, of a job with these
// lines.
func (b *bank) backfillOptions(since string, lines ...string) BackfillOptions {
	o := b.options(b.config(lines...))
	return BackfillOptions{
		RunOptions: RunOptions{
			Config: o.Config, Job: o.Job, Transport: o.Transport, Now: o.Now, Holder: o.Holder, Logger: o.Logger, WrapStore: b.wrap,
		},
		Since: since, Rate: 10000,
	}
}

// fill runs a backfill, which must end well, and forgets earlier requests.
func (b *bank) fill(o BackfillOptions) *report.Report {
	b.t.Helper()
	b.ResetRequests()
	rep, err := Backfill(b.t.Context(), o)
	if err != nil {
		b.t.Fatalf("backfill: %v", err)
	}
	return rep
}

// inRange counts the rows that the truth has in a range, by table.
func (b *bank) inRange(since, until string) map[string]int64 {
	n, ids := map[string]int64{}, map[any]bool{}
	within := func(v any) bool { d := fmt.Sprint(v); return d >= since && d <= until }
	for row := range b.Truth("transactions") {
		if within(row["booking_date"]) {
			n["transactions"]++
			ids[row["transaction_id"]] = true // a tag may leave the account out
			ids[fmt.Sprint(row["account_id"], " ", row["transaction_id"])] = true
		}
	}
	for row := range b.Truth("categorization") {
		if account := row["account_id"]; account == "" && ids[row["transaction_id"]] || ids[fmt.Sprint(account, " ", row["transaction_id"])] {
			n["categorization"]++
		}
	}
	for range b.Truth("contracts") {
		n["contracts"]++
	}
	for row := range b.Truth("account_history") {
		if within(row["date"]) {
			n["account_history"]++
		}
	}
	return n
}

// brought are the rows that these runs have committed, by table.
func (b *bank) brought(runs ...*report.Report) map[string]int64 {
	b.t.Helper()
	n := map[string]int64{}
	for _, rep := range runs {
		for table, c := range b.changes(rep) {
			if table != "pulls" {
				n[table] += c.Upserts
			}
			if c.Deletes > 0 {
				b.t.Errorf("%s: %d deletes", table, c.Deletes)
			}
		}
	}
	return n
}

func TestABackfillBringsAllOfTheRangeAndNothingElse(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t := b.t
		b.run()
		before := b.cursors()
		o := b.backfillOptions("2026-03-10")
		o.Until = "2026-08-09"
		rep := b.fill(o)
		if diff := cmp.Diff(b.inRange("2026-03-10", "2026-08-09"), b.brought(rep)); diff != "" {
			t.Errorf("rows (-truth +brought):\n%s", diff)
		}
		for u := range 2 {
			asked := b.asked(u)
			want := map[string]int{
				"correlation banking": 1, "correlation categorization": 1, "correlation contracts": 1, "correlation account-history": 1,
				"transactions": 2, "categorization": asked["categorization"], "contracts": 1, "account_history": 1,
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("user %d was asked for (-want +got):\n%s", u, diff)
			}
		}
		for id, streams := range b.cursors() {
			for s, c := range streams {
				was := before[id][s]
				if want := slices.Contains(pastStreams(), s); c.Backfilled != want {
					t.Errorf("%s: marked %v, want %v", s, c.Backfilled, want)
				}
				c.Backfilled, c.BackfilledAt = false, time.Time{}
				if diff := cmp.Diff(was, c); diff != "" {
					t.Errorf("%s: the cursor moved:\n%s", s, diff)
				}
			}
		}
		if again := b.fill(o); again.Commits != 0 || again.Requests != 0 || again.Backfill.Finished == nil {
			t.Errorf("the finished backfill did: %+v", again)
		}
	})
}

func TestABackfillBringsAllOfTheRangeWhateverIsMadeOfItsWindows(t *testing.T) {
	t.Parallel()
	for _, r := range []sandbox.Readings{{SinceCompares: "value_date"}, {Window: "400"}, {Window: "403"}, {Window: "416"}, {Window: "ignored"}, {Repeats: "equal"}} {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(2)
			o.Readings = r
			inBubble(t, o, func(b *bank) {
				fill := b.backfillOptions("2025-12-10", "streams: [transactions, categorization]")
				fill.Until = "2026-08-09"
				want := b.inRange("2025-12-10", "2026-08-09")
				delete(want, "contracts")
				delete(want, "account_history")
				if diff := cmp.Diff(want, b.brought(b.fill(fill))); diff != "" {
					b.t.Errorf("rows (-truth +brought):\n%s", diff)
				}
			})
		})
	}
}

// What is booked on a day that cannot be read is of the window that it came with: left
// out, it would be lost to a backfill that says that it is done.
func TestABackfillBringsBookingsWhoseDayCannotBeRead(t *testing.T) {
	t.Parallel()
	brought := func(dates string) (rows, undated int64) {
		o := banktest.Still(2)
		o.Readings.Dates = dates
		inBubble(t, o, func(b *bank) {
			fill := b.backfillOptions("2025-12-10", "streams: [transactions]")
			fill.Until = "2026-08-09"
			rep := b.fill(fill)
			rows, undated = b.brought(rep)["transactions"], rep.Backfill.Undated
		})
		return rows, undated
	}
	want, _ := brought("")
	for _, dates := range []string{"impossible", "zero", "epoch"} {
		// A few more come: those of the days that are asked for around the range.
		if rows, undated := brought(dates); rows < want || rows > want+want/10 || undated != 0 {
			t.Errorf("%s: %d rows and %d without a date, want %d and none", dates, rows, undated, want)
		}
	}
}

func TestABackfillThatIsStoppedGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		o := b.backfillOptions("2025-08-01", "streams: [transactions, categorization, contracts]")
		o.Config.Jobs["nightly"].Concurrency = 2
		var runs []*report.Report
		asked := map[string]int{} // windows of users
		for len(runs) == 0 || runs[len(runs)-1].Backfill.Finished == nil {
			b.ResetRequests()
			ctx, stop := context.WithCancel(t.Context())
			n := 0
			var mu sync.Mutex
			o.Transport = via{b.Sandbox.Transport(), func(*http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if n++; n == 20 {
					stop()
				}
				return nil, nil
			}}
			rep, err := Backfill(ctx, o)
			stop()
			if rep == nil || err != nil && rep.Outcome != "interrupted" {
				t.Fatalf("run %d: %+v, %v", len(runs), rep, err)
			}
			for r := range b.requests() {
				if r.Operation == "transactions" {
					asked[r.UserID]++
				}
			}
			if runs = append(runs, rep); len(runs) > 20 {
				t.Fatal("it comes to no end")
			}
		}
		want := b.inRange("2025-08-01", "2026-11-19")
		delete(want, "account_history")
		brought := b.brought(runs...)
		// A booking with a date on either side of a window's edge comes again, as it
		// was, where a stop lies between the two.
		again := map[string]bool{}
		for _, row := range b.rows("transactions") {
			key := strings.Join([]string{row["user_id"], row["account_id"], row["transaction_id"]}, "\x00")
			if again[key] && row["booking_date"] != row["value_date"] {
				brought["transactions"]--
			}
			again[key] = true
		}
		if diff := cmp.Diff(want, brought); diff != "" {
			t.Errorf("rows of %d runs (-truth +brought):\n%s", len(runs), diff)
		}
		windows := 0
		for _, n := range asked {
			windows += n
		}
		// Each stop drops two users at most, within their last window, or asks
		// for the transactions again whose tags are left.
		if whole := 4 * 3; len(runs) < 3 || windows > whole+2*3*(len(runs)-1) {
			t.Errorf("%d windows in %d runs, want %d and a few more", windows, len(runs), whole)
		}
	})
}

func TestAUserWhoFailsIsLeftForTheNextBackfill(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.misbehave(faultOf(2, "contracts", sandbox.Malformed))
		o := b.backfillOptions("2026-10-01", "failures: {max_ratio: 1}") // however many may fail in a night
		var runs []*report.Report
		for range 2 {
			b.ResetRequests()
			rep, err := Backfill(t.Context(), o)
			stop, ok := err.(*StopError) //nolint:errorlint // as it is documented
			if !ok || stop.Reason != ReasonTooManyFailed || !strings.Contains(err.Error(), "goes on with what is left") || rep.Users.Failed != 1 || rep.Backfill.Finished != nil {
				t.Fatalf("%+v, %v", rep.Users, err)
			}
			runs = append(runs, rep)
		}
		if got := len(b.Requests()); got != 4 || runs[1].Users.Unchanged != 2 { // token, list, correlation, contracts
			t.Errorf("the second run made %d requests: %v", got, b.Requests())
		}
		b.misbehave(sandbox.Faults{})
		runs = append(runs, b.fill(o))
		if diff := cmp.Diff(b.inRange("2026-10-01", "2026-11-19"), b.brought(runs...)); diff != "" {
			t.Errorf("rows (-truth +brought):\n%s", diff)
		}
		if runs[2].Backfill.Finished == nil {
			t.Error("it is not finished")
		}
	})
}

// TestAfterABackfillAChangeIsPulledInFullAndTheUnchangedCostNothing also lets a
// nightly run be under way while the backfill commits.
func TestAfterABackfillAChangeIsPulledInFullAndTheUnchangedCostNothing(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(4)
	o.Nightly.Analysed = 0.5
	inBubble(t, o, func(b *bank) {
		t := b.t
		const lines = "streams: [transactions, contracts]"
		b.run(lines)
		b.Night()
		filled := false
		b.transport = via{b.Sandbox.Transport(), func(r *http.Request) (*http.Response, error) {
			if !filled && strings.HasSuffix(r.URL.Path, "/users") {
				filled = true
				if _, err := Backfill(t.Context(), b.backfillOptions("2026-08-01", lines)); err != nil {
					t.Errorf("backfill: %v", err)
				}
			}
			return nil, nil
		}}
		b.run(lines, "full_refresh_every: 1s") // it has not seen the marks: its full pulls do not settle them
		b.transport = b.Sandbox.Transport()
		full := 0
		for night := range 2 {
			before := b.cursors()
			b.Night()
			b.run(lines)
			after := b.cursors()
			for u := range 4 {
				id := b.UserID(u)
				was, is := before[id][config.StreamContracts], after[id][config.StreamContracts]
				if is.CorrelationID == was.CorrelationID {
					if n := len(b.asked(u)); n != 2 || is.Backfilled != was.Backfilled {
						t.Errorf("night %d: user %d has not changed, and was asked %v", night, u, b.asked(u))
					}
					continue
				}
				for _, s := range []config.Stream{config.StreamTransactions, config.StreamContracts} {
					was, is := before[id][s], after[id][s]
					if is.FullAt.After(was.FullAt) != was.Backfilled || is.Backfilled {
						t.Errorf("night %d: user %d, %s: marked %v, full %v", night, u, s, was.Backfilled, is.FullAt.After(was.FullAt))
					}
					if was.Backfilled {
						full++
					}
				}
			}
		}
		if full == 0 {
			t.Error("nothing was pulled in full: nothing is shown")
		}
	})
}

// TestWhoReadsLaterHasTheLaterInstant: a nightly pull gets the instant after its
// answer, a backfill the one before its request.
func TestWhoReadsLaterHasTheLaterInstant(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t := b.t
		const latency = 7 * time.Second
		b.misbehave(sandbox.Faults{Latency: latency})
		begun := time.Now()
		b.now = func() time.Time { return b.Now().Add(time.Since(begun)) }
		var asked time.Time
		b.transport = via{b.Sandbox.Transport(), func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/transactions") {
				asked = b.now()
			}
			return nil, nil
		}}
		b.run("streams: [transactions]")
		c := b.cursors()[b.UserID(0)][config.StreamTransactions]
		if c.ExtractedAt.Before(asked.Add(latency)) {
			t.Errorf("a nightly pull at %v says %v", asked, c.ExtractedAt)
		}
		o := b.backfillOptions("2026-11-01")
		o.Streams = []config.Stream{config.StreamTransactions}
		b.fill(o)
		filled := b.cursors()[b.UserID(0)][config.StreamTransactions]
		if filled.BackfilledAt.After(asked) || !filled.BackfilledAt.After(c.ExtractedAt) {
			t.Errorf("a backfill at %v, after a pull at %v, says %v", asked, c.ExtractedAt, filled.BackfilledAt)
		}
		// A nightly run whose clock is slow stays above it.
		slow := b.now
		b.now = func() time.Time { return slow().Add(-time.Hour) }
		o2 := b.options(b.config("streams: [transactions]"))
		o2.Full = true
		if _, err := b.try(t.Context(), o2); err != nil {
			t.Fatal(err)
		}
		if after := b.cursors()[b.UserID(0)][config.StreamTransactions]; !after.ExtractedAt.After(filled.BackfilledAt) {
			t.Errorf("a nightly pull says %v, after a backfill at %v", after.ExtractedAt, filled.BackfilledAt)
		}
	})
}

func TestWindowsShrinkAndGrowWithTheirAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		size int
		want []int // days of windows
	}{
		"small answers": {100, []int{100, 180, 105}},
		"large answers": {largeAnswer + 1, []int{100, 45, 22, 11, 5, 2, 1, 1}},
		"in between":    {2 << 20, []int{100, 90, 90, 90, 15}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			warm(t)
			synctest.Test(t, func(t *testing.T) {
				b := newBank(t, banktest.Still(1))
				var got []int
				var edges []string
				b.transport = via{b.Sandbox.Transport(), func(r *http.Request) (*http.Response, error) {
					if !strings.HasSuffix(r.URL.Path, "/transactions") {
						return nil, nil
					}
					since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
					until, err := time.Parse(time.RFC3339, r.URL.Query().Get("until"))
					first, last := pull.DaysOf(since.Add(pull.EarliestZone)), pull.DaysOf(until.Add(-latestZone))-1
					got = append(got, int(last-first)+1)
					edges = append(edges, pull.Midnight(first).Format(time.DateOnly), pull.Midnight(last).Format(time.DateOnly))
					resp, sent := b.Sandbox.Transport().RoundTrip(r)
					if err != nil || sent != nil {
						return nil, fmt.Errorf("%w, %w", err, sent)
					}
					size := tc.size
					if len(got) > len(tc.want) {
						size = 100 // what follows shows nothing new, and takes its time
					}
					return rewritten(resp, func([]byte) []byte { return []byte("[" + strings.Repeat(" ", size-2) + "]") })
				}}
				o := b.backfillOptions("2025-11-20")
				o.Until, o.Streams = "2026-11-19", []config.Stream{config.StreamTransactions}
				b.fill(o)
				if diff := cmp.Diff(tc.want, got[:min(len(tc.want), len(got))]); diff != "" {
					t.Errorf("windows (-want +got):\n%s", diff)
				}
				// More is asked for at both ends, should the API compare another date.
				if edges[0] != "2025-11-10" || edges[len(edges)-1] != "2026-11-29" {
					t.Errorf("from %s to %s", edges[0], edges[len(edges)-1])
				}
				for i := 1; i+1 < len(edges); i += 2 {
					if end, err := time.Parse(time.DateOnly, edges[i]); err != nil || end.AddDate(0, 0, 1).Format(time.DateOnly) != edges[i+1] {
						t.Errorf("%s is followed by %s", edges[i], edges[i+1])
					}
				}
			})
		})
	}
}

func TestTheNameOfABackfillIsThatOfItsParameters(t *testing.T) {
	t.Parallel()
	b := newBank(t, banktest.Still(1))
	named := map[string]string{}
	for what, change := range map[string]func(*BackfillOptions){
		"as it is":    func(*BackfillOptions) {},
		"tomorrow":    func(o *BackfillOptions) { o.Now = func() time.Time { return b.Now().AddDate(0, 0, 1) } },
		"until":       func(o *BackfillOptions) { o.Until = "2026-02-01" },
		"since":       func(o *BackfillOptions) { o.Since = "2026-01-02" },
		"streams":     func(o *BackfillOptions) { o.Streams = []config.Stream{config.StreamContracts} },
		"users":       func(o *BackfillOptions) { o.Users = []string{"a", "b"} },
		"users again": func(o *BackfillOptions) { o.Users = []string{"b", "a"} },
		"all streams": func(o *BackfillOptions) { o.Streams = pastStreams() },
	} {
		o := b.backfillOptions("2026-01-01")
		change(&o)
		f, err := newFilling(o)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		named[what] = f.def.Name
		if err := sink.CheckBackfill(f.def.Name); err != nil {
			t.Error(err)
		}
	}
	for _, same := range [][2]string{{"as it is", "tomorrow"}, {"users", "users again"}, {"as it is", "all streams"}} {
		if named[same[0]] != named[same[1]] {
			t.Errorf("%s: %s, %s: %s", same[0], named[same[0]], same[1], named[same[1]])
		}
	}
	if distinct := slices.Compact(slices.Sorted(maps.Values(named))); len(distinct) != 5 {
		t.Errorf("names: %v", named)
	}
}
