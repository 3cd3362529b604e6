package jobs

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/jobs/report"
)

// scripted is an API of a few users whose answers a test writes down: what it does
// not, is an empty list. Every service has one analysis until the test moves it.
type scripted struct {
	mu      sync.Mutex
	users   int
	newest  map[string]string // analysis by service
	answers func(operation string, q url.Values) (status int, body string)
	asked   map[string]int // by operation
}

func (a *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status, body := a.answer(strings.Trim(r.URL.Path, "/"), r.URL.Query())
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func (a *scripted) answer(path string, q url.Values) (status int, body string) {
	switch path {
	case "auth":
		return http.StatusOK, `{"access_token":"t","expires_in":300,"token_type":"Bearer"}`
	case "users":
		w := smallWorld{users: a.users, pageSize: a.users}
		return http.StatusOK, w.page(1)
	}
	parts := strings.SplitN(path, "/", 3) // users, id, operation
	operation := parts[len(parts)-1]
	a.asked[operation]++
	if service, ok := strings.CutSuffix(operation, "/correlation"); ok {
		return http.StatusOK, `{"correlationID":"` + a.newest[service] + `1","correlationTimestamp":"2026-11-18T02:00:00Z"}`
	}
	if a.answers != nil {
		if status, body := a.answers(operation, q); status != 0 {
			return status, body
		}
	}
	empty := map[string]string{"banking/accounts": `{"accounts":[]}`, "categorization": `{"categorization":[]}`, "account-history": `{"histories":[]}`}[operation]
	if empty == "" {
		empty = "[]"
	}
	return http.StatusOK, empty
}

// inScript runs f with a bank of three users whose nights pass as the test lets
// them; night lets one pass, and runs the job.
func inScript(t *testing.T, f func(b *bank, a *scripted, night func(lines ...string) *report.Report)) {
	t.Helper()
	inBubble(t, sandbox.Options{Users: 1}, func(b *bank) {
		a := &scripted{users: 3, newest: map[string]string{}}
		clock := time.Date(2026, 11, 19, 2, 30, 0, 0, time.UTC)
		b.now, b.transport = func() time.Time { return clock }, a
		f(b, a, func(lines ...string) *report.Report {
			b.t.Helper()
			clock = clock.Add(24 * time.Hour)
			a.mu.Lock()
			a.asked = map[string]int{}
			a.mu.Unlock()
			return b.run(lines...)
		})
	})
}

// quietWeeks runs nights on which nothing changes, until long after every refresh
// was due, and returns what came of a stream: pulls night for night, and rows.
func quietWeeks(b *bank, s config.Stream, night func(...string) *report.Report, lines ...string) (pulls []int64, rows int64) {
	b.t.Helper()
	for n := range 16 {
		rep := night(lines...)
		got := rep.Streams[s]
		pulls, rows = append(pulls, got.Pulled), rows+got.Rows
		if got.Pulled != got.Refreshed || got.Pulled+got.Unchanged != 3 || (got.Pulled == 0) != (rep.Commits == 0) {
			b.t.Errorf("night %d: %+v, %d commits", n, got, rep.Commits)
		}
	}
	if all := sum(pulls); all != sum(pulls[:7]) {
		b.t.Errorf("users are read after the period, too: %v", pulls)
	}
	return pulls, rows
}

// partial counts the users of whom a stream was not pulled whole: on whose instant
// the change came, they were.
func (b *bank) partial(s config.Stream) (n int64) {
	b.t.Helper()
	for _, streams := range b.cursors() {
		if !pull.Whole(streams[s]) {
			n++
		}
	}
	return n
}

func sum(counts []int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestATagRemovedInTheLastAnalysisGoesWithinAPeriodThoughNothingChangesAnyMore(t *testing.T) {
	t.Parallel()
	for name, reading := range map[string]struct {
		diff string // the answer to one; "" takes the correlation for unknown
		full bool   // the night of the change
	}{
		"by the diff of an API that tells of added tags": {`{"categorization":[]}`, false},
		"by one that ignores what it should start from":  {`{"categorization":[{"transactionId":"t","accountId":"a","tags":["rent"]}]}`, false},
		"by one that no longer knows the analysis":       {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inScript(t, func(b *bank, a *scripted, night func(...string) *report.Report) {
				tags := `"rent","home"`
				a.answers = func(operation string, q url.Values) (int, string) {
					switch since := q.Get("correlation-id"); {
					case operation != "categorization":
						return 0, ""
					case since != "" && reading.diff == "":
						return http.StatusGone, `{"type":"gone"}`
					case since != "":
						return http.StatusOK, reading.diff
					}
					return http.StatusOK, `{"categorization":[{"transactionId":"t","accountId":"a","tags":[` + tags + `]}]}`
				}
				lines := []string{"streams: [categorization]", "full_refresh_every: 168h"}
				night(lines...)
				a.newest["categorization"], tags = "later-", `"rent"`
				night(lines...)
				due := b.partial(config.StreamCategorization)
				if (due == 0) != reading.full {
					t.Fatalf("%d users were pulled in part: nothing is shown", due)
				}
				pulls, rows := quietWeeks(b, config.StreamCategorization, night, lines...)
				if sum(pulls) != due || rows != due {
					t.Errorf("%d users had to be read in full, %v were, with %d rows", due, pulls, rows)
				}
				if left := b.partial(config.StreamCategorization); left > 0 {
					t.Errorf("%d users are not whole in the end", left)
				}
			})
		})
	}
}

// dated answers transactions by day as the API does: from an instant on, by their
// ids, or all.
func dated(q url.Values, days map[string]string) string {
	var list []string
	for _, id := range slices.Sorted(maps.Keys(days)) {
		since, at := q.Get("since"), ""
		if ids := q.Get("transactionIds"); ids != "" && !slices.Contains(strings.Split(ids, ","), id) {
			continue
		}
		if days[id] != "" {
			if since != "" && days[id] < since[:len(time.DateOnly)] {
				continue
			}
			at = `,"bookingDate":"` + days[id] + `"`
		}
		account, _, _ := strings.Cut(id, ":")
		list = append(list, `{"transactionId":"`+id+`","accountId":"`+account+`","amount":1.00,"currency":"EUR"`+at+`}`)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// years are daily bookings of an account, the newest first, from some days ago on.
func years(account string, from, n int) map[string]string {
	days := map[string]string{}
	for d := range n {
		days[fmt.Sprintf("%s:%03d", account, d+from)] = time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -d-from).Format(time.DateOnly)
	}
	return days
}

func together(all ...map[string]string) map[string]string {
	days := map[string]string{}
	for _, m := range all {
		maps.Copy(days, m)
	}
	return days
}

func TestWhatNoWindowShowsComesWithinAPeriodThoughNothingChangesAnyMore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct{ before, after map[string]string }{
		"a booking of long ago":                 {years("a", 0, 20), together(years("a", 0, 20), years("a", 500, 1))},
		"a booking of long ago is taken back":   {years("a", 0, 400), together(years("a", 0, 300), years("a", 301, 99))},
		"a history that comes in a second step": {years("a", 0, 90), years("a", 0, 700)},
		"an account that goes with its past":    {together(years("a", 0, 300), years("b", 0, 300)), years("a", 0, 300)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inScript(t, func(b *bank, a *scripted, night func(...string) *report.Report) {
				now := change.before
				a.answers = func(operation string, q url.Values) (int, string) {
					if operation != "banking/transactions" {
						return 0, ""
					}
					return http.StatusOK, dated(q, now)
				}
				lines := []string{"streams: [transactions]", "full_refresh_every: 168h"}
				night(lines...)
				a.newest["banking"], now = "later-", change.after
				night(lines...)
				due := b.partial(config.StreamTransactions)
				pulls, rows := quietWeeks(b, config.StreamTransactions, night, lines...)
				if due == 0 || sum(pulls) != due || rows != due*int64(len(change.after)) {
					t.Errorf("%d users had to be read in full, %v were, with %d rows, where each has %d", due, pulls, rows, len(change.after))
				}
			})
		})
	}
}

func TestTheFirstBookingOfAnAccountIsReadWithAllThatCameWithIt(t *testing.T) {
	t.Parallel()
	type state struct {
		accounts string
		days     map[string]string
		full     bool // is read in full, for one user
	}
	old := years("a", 0, 300)
	pending := map[string]string{"b:pending": ""}
	for name, nights := range map[string][]state{
		"an account that had none": {
			{"a b", old, true}, {"a b", together(old, years("b", 0, 400)), true}, {"a b", together(old, years("b", 0, 401)), false},
		},
		"an account that had only what is reserved": {
			{"a b", together(old, pending), true}, {"a b", together(old, years("b", 3, 400)), true},
		},
		"an account that never has one": {
			{"a b", old, true}, {"a b", together(old, years("a", 0, 301)), false}, {"a b", together(old, pending), false},
		},
		"an account that goes, and comes back": {
			{"a b", together(old, years("b", 0, 400)), true}, {"a", old, false}, {"a b", together(old, years("b", 0, 400)), true},
		},
		"an account that goes, comes back without a booking, and then has them": {
			{"a b", together(old, years("b", 0, 400)), true}, {"a", old, false}, {"a b", old, true}, {"a b", together(old, years("b", 0, 400)), true},
		},
		"an account that is seen in the bookings first": {
			{"a", old, true}, {"a", together(old, years("b", 0, 400)), true}, {"a b", together(old, years("b", 0, 401)), false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inScript(t, func(_ *bank, a *scripted, night func(...string) *report.Report) {
				var now state
				a.answers = func(operation string, q url.Values) (int, string) {
					switch operation {
					case "banking/accounts":
						var list []string
						for id := range strings.FieldsSeq(now.accounts) {
							list = append(list, `{"accountId":"`+id+`"}`)
						}
						return http.StatusOK, `{"accounts":[` + strings.Join(list, ",") + `]}`
					case "banking/transactions":
						return http.StatusOK, dated(q, now.days)
					}
					return 0, ""
				}
				for n, s := range nights {
					a.newest["banking"] = fmt.Sprint("night-", n)
					now = s
					rep := night("streams: [accounts, transactions]")
					got := rep.Streams[config.StreamTransactions]
					if full := got.Rows == 3*int64(len(s.days)); full != s.full || got.Refreshed != 0 {
						t.Errorf("night %d: %+v of %d, want in full %v", n, got, 3*len(s.days), s.full)
					}
				}
			})
		})
	}
}

func TestARefreshThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"on the next night", "by --only-failed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			inScript(t, func(b *bank, a *scripted, night func(...string) *report.Report) {
				t, status := b.t, 0
				a.answers = func(string, url.Values) (int, string) { return status, `{"type":"forbidden"}` }
				lines := []string{"streams: [categorization]", "full_refresh_every: 168h", "failures: {max_ratio: 1, quarantine_after: 100}"}
				night(lines...)
				a.newest["categorization"] = "later-"
				night(lines...)
				due := b.partial(config.StreamCategorization)
				status = http.StatusBadRequest
				for n := range 9 {
					rep := night(lines...)
					if got := rep.Streams[config.StreamCategorization]; got.Pulled+got.Refreshed > 0 || n > 6 && got.Failed != due {
						t.Errorf("night %d: %+v, with %d due", n, got, due)
					}
				}
				status = 0
				o := b.options(b.config(lines...))
				o.OnlyFailed = how == "by --only-failed"
				rep, err := b.try(t.Context(), o)
				if got := rep.Streams[config.StreamCategorization]; err != nil || due == 0 || got.Refreshed != due || got.Failed > 0 {
					t.Errorf("%v, %+v, with %d due", err, got, due)
				}
				if rep = night(lines...); rep.Commits > 0 {
					t.Error("it is not quiet afterwards")
				}
			})
		})
	}
}

func TestProbingBankingHidesNoRefreshThatIsDue(t *testing.T) {
	t.Parallel()
	inScript(t, func(b *bank, a *scripted, night func(...string) *report.Report) {
		t := b.t
		lines := []string{"probe: banking", "streams: [transactions, categorization]", "full_refresh_every: 72h"}
		night(lines...)
		a.newest["banking"], a.newest["categorization"] = "later-", "later-"
		night(lines...)
		due, done := b.partial(config.StreamCategorization), int64(0)
		for range 3 { // a period: the weekly day on which all are asked may not be among them
			rep := night(lines...)
			got := rep.Streams[config.StreamCategorization]
			done += got.Refreshed
			if int64(a.asked["categorization/correlation"]) < got.Refreshed {
				t.Errorf("%+v, but its correlation was asked %d times", got, a.asked["categorization/correlation"])
			}
		}
		if due == 0 || done != due {
			t.Errorf("%d were due, %d were read in full", due, done)
		}
	})
}

func TestABackfillsMarkMakesAQuietUserBeReadInFullOnce(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{"probe: each", "probe: banking"} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(4), func(b *bank) { marksOfABackfill(b, probe) })
		})
	}
}

func marksOfABackfill(b *bank, probe string) {
	t := b.t
	clock := b.Now()
	b.now = func() time.Time { return clock }
	lines := []string{"streams: [accounts, transactions, categorization, contracts, account_history]", "full_refresh_every: 168h", probe}
	b.run(lines...)
	o := b.backfillOptions("2026-08-01", lines...)
	o.Now = b.now
	b.fill(o)
	marked := b.cursors()
	partial := int64(0)
	for _, s := range b.status(lines...).Streams {
		partial += s.Partial
	}
	refreshed := map[config.Stream]int64{}
	for n := range 20 {
		clock = clock.Add(24 * time.Hour)
		p, err := b.plan(b.options(b.config(lines...)), true)
		if err != nil {
			t.Fatal(err)
		}
		rep := b.run(lines...)
		for s, got := range rep.Streams {
			refreshed[s] += got.Refreshed
			if got.Pulled != got.Refreshed || p.Streams[s].Refreshed != got.Refreshed || n > 0 && p.Streams[s].Pulls != got.Pulled {
				t.Errorf("night %d, %s: %+v, planned %+v", n, s, got, p.Streams[s])
			}
		}
		if off := p.Requests - rep.Requests; n > 0 && 10*max(off, -off) > rep.Requests {
			t.Errorf("night %d: %d requests planned, %d made; %v but %v", n, p.Requests, rep.Requests, p.RequestsByOperation, rep.RequestsByOperation)
		}
	}
	for s, n := range refreshed {
		want := int64(0)
		for id := range marked {
			if c := marked[id][s]; c.Backfilled && c.CorrelationID != "" {
				want++
			}
		}
		if partial -= n; n != want {
			t.Errorf("%s: %d users were read in full, %d are marked", s, n, want)
		}
	}
	if partial != 0 || sum(slices.Collect(maps.Values(refreshed))) == 0 {
		t.Errorf("the status told %d more to be partial than were read in full: %v", partial, refreshed)
	}
	for id, streams := range b.cursors() {
		for s, c := range streams {
			if !pull.Whole(c) || c.CorrelationID != marked[id][s].CorrelationID {
				t.Errorf("%s of %s: %+v", s, id, c)
			}
		}
	}
}

// TestARefreshBesideAnAnalysisThatDoesNotEndLosesNothing lets the settle timeout pass: the user
// is pulled by the analysis before, and what the new one brings is not lost.
func TestARefreshBesideAnAnalysisThatDoesNotEndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, hides := range []bool{false, true} {
		t.Run(fmt.Sprint("the correlation answers 404: ", hides), func(t *testing.T) {
			t.Parallel()
			sb := banktest.Still(2)
			sb.AnalysisDelay, sb.AnalysingIs404 = 10*time.Minute, hides
			inBubble(t, sb, func(b *bank) {
				t, clock := b.t, b.Now()
				b.now = func() time.Time { return clock }
				lines := []string{"streams: [transactions, contracts]", "full_refresh_every: 168h"}
				b.run(lines...)
				o := b.backfillOptions("2026-08-01", lines...)
				o.Now = b.now
				b.fill(o)
				before := b.cursors()
				clock = clock.Add(8 * 24 * time.Hour)
				rep := b.run(append(lines, "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 60s}")...)
				if rep.Unsettled == 0 || rep.Streams[config.StreamContracts].Refreshed == 0 {
					t.Fatalf("%d did not settle, %+v: nothing is shown", rep.Unsettled, rep.Streams[config.StreamContracts])
				}
				for id, streams := range b.cursors() {
					for s, c := range streams {
						if _, ok := config.ServiceOf(s); ok && (!pull.Whole(c) || c.CorrelationID != before[id][s].CorrelationID) {
							t.Errorf("%s of %s: %+v", s, id, c)
						}
					}
				}
				time.Sleep(10 * time.Minute)
				rep = b.run(lines...)
				for s, got := range rep.Streams {
					if _, ok := config.ServiceOf(s); ok && (got.Pulled == 0 || got.Refreshed > 0) {
						t.Errorf("%s, after the analysis has ended: %+v", s, got)
					}
				}
			})
		})
	}
}

// TestAnswersWithoutAFilterLeaveNothingToRefresh lets every user change, by pulls
// that compare all that the API has, and then nothing happen.
func TestAnswersWithoutAFilterLeaveNothingToRefresh(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(3), func(b *bank) {
		t := b.t
		lines := []string{"streams: [accounts, contracts, account_history, categorization]", "categorization: full"}
		b.run(lines...)
		full := b.cursors()
		b.Night()
		b.run(lines...)
		for id, streams := range b.cursors() {
			for s, c := range streams {
				if c.CorrelationID != "" && (c.CorrelationID == full[id][s].CorrelationID || !c.FullAt.Equal(full[id][s].FullAt)) {
					t.Errorf("%s of %s was not pulled as a diff: nothing is shown", s, id)
				}
			}
		}
		clock := b.Now()
		b.now = func() time.Time { return clock }
		for n := range 10 {
			clock = clock.Add(24 * time.Hour)
			if rep := b.run(append(lines, "full_refresh_every: 168h")...); rep.Commits > 0 {
				t.Errorf("night %d: %+v", n, rep.Users)
			}
		}
	})
}
