package jobs

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/bucket"
)

// Killed while the logins are down; accounts were committed.
func TestLoginsMissedByAKilledRun(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{oneService, eachService} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(4), func(b *bank) {
				t := b.t
				b.run(probe)
				b.Night()
				k := &killable{}
				k.left.Store(-1)
				var down atomic.Bool
				down.Store(true)
				next := b.transport
				start := time.Now()
				b.transport = via{next, func(r *http.Request) (*http.Response, error) {
					if _, rest := pathOf(r); down.Load() && rest == "banking/logins" {
						if time.Since(start) > 20*time.Second {
							k.dead.Store(true)
						}
						return answers(r, 503, `{}`), nil
					}
					return nil, nil //nolint:nilnil // goes on
				}}
				b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
				_, err := b.try(t.Context(), b.options(b.config(probe, "checkpoint_every: 7s")))
				b.wrap = nil
				t.Logf("%v", err)
				b.expire()
				down.Store(false)
				was := b.cursors()
				rep := b.run(probe)
				for u := range 4 {
					id := b.UserID(u)
					l := b.asked(u)
					if l["logins"] == 0 {
						t.Errorf("user %d: accounts of %s, logins of %s; %v", u, was[id][config.StreamAccounts].CorrelationID, was[id][config.StreamSyncSessions].CorrelationID, l)
					}
				}
				t.Logf("%+v", rep.Probe)
			})
		})
	}
}

// Timestamps an hour or more ahead (a time zone): the fallback never fires.
func TestAServiceThatNeverFinishesIsFoundThoughTheAPIsClockIsAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 26 * time.Hour} {
		o := banktest.Steady(40)
		inBubble(t, o, func(b *bank) {
			t := b.t
			stands := b.frozen("contracts")
			base := b.transport
			b.transport = shifted{base, ahead}
			streams := "streams: [accounts, contracts]"
			b.run(oneService, streams)
			*stands = true
			fell, misled, audited := 0, int64(0), int64(0)
			for night := 1; night <= 16; night++ {
				b.Night()
				rep := b.run(oneService, streams)
				misled += rep.Probe.Misled
				audited += rep.Probe.Audited
				if fell == 0 && rep.Probe.Mode == config.ProbeEach {
					fell = night
				}
			}
			if fell == 0 {
				t.Errorf("ahead by %s: never fell back; misled %d of %d", ahead, misled, audited)
			}
		})
	}
}

type shifted struct {
	next http.RoundTripper
	by   time.Duration
}

func (s shifted) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err != nil || res.StatusCode != 200 || !strings.HasSuffix(r.URL.Path, "/correlation") {
		return res, err
	}
	var body strings.Builder
	buf := make([]byte, 4096)
	n, _ := res.Body.Read(buf)
	body.Write(buf[:n])
	text := body.String()
	if i := strings.Index(text, `"correlationTimestamp":"`); i >= 0 {
		from := i + len(`"correlationTimestamp":"`)
		to := from + strings.Index(text[from:], `"`)
		at, err := time.Parse(time.RFC3339, text[from:to])
		if err == nil {
			text = text[:from] + at.Add(s.by).Format(time.RFC3339) + text[to:]
		}
	}
	return answers(r, 200, text), nil
}

// A second look at which nothing has moved proves nothing.
func TestAutoWantsToHaveSeenSomethingMove(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(120), func(b *bank) {
		t := b.t
		b.light()
		stands := b.frozen("contracts")
		streams := "streams: [accounts, contracts]"
		b.run(streams)
		*stands = true
		b.run(streams) // an hour later, or on a Sunday: nothing has moved
		b.Night()
		rep := b.run(streams)
		if rep.Probe.Misled < 50 || rep.Streams[config.StreamAccounts].NotAsked > 0 {
			t.Errorf("%+v; %d of 120 accounts not asked though banking has moved for all", rep.Probe, rep.Streams[config.StreamAccounts].NotAsked)
		}
	})
}

// A service that is added to the job has never been looked at.
func TestAutoLooksAtAServiceThatIsAdded(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(120), func(b *bank) {
		t := b.t
		b.light()
		stands := b.frozen("contracts")
		for range 3 {
			b.run("streams: [accounts, categorization]")
			b.Night()
		}
		more := "streams: [accounts, categorization, contracts]"
		b.run(more)
		*stands = true
		b.Night()
		rep := b.run(more)
		if rep.Probe.Misled < 50 || rep.Streams[config.StreamAccounts].NotAsked > 0 {
			t.Errorf("%+v; %d of 120 accounts not asked though banking has moved for all", rep.Probe, rep.Streams[config.StreamAccounts].NotAsked)
		}
	})
}

func TestAutoWithUsersOfWhomAServiceHasNoAnalysis(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(120), func(b *bank) {
		t := b.t
		b.light()
		without := map[string]bool{}
		for u := range 4 {
			without[b.UserID(u)] = true
		}
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if user, rest := pathOf(r); without[user] && rest == "contracts/correlation" {
				return answers(r, 404, `{"type":"not_found"}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		streams := "streams: [accounts, categorization, contracts]"
		for n := range 5 {
			rep := b.run(streams)
			if n == 4 && rep.Probe.Mode != config.ProbeOne {
				t.Errorf("night %d: %+v", n, rep.Probe)
			}
			b.Night()
		}
	})
}

// The correlations are read since a bank is to be asked; what they showed is not used.
func TestWhatWasSeenToHaveMovedIsPulled(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t := b.t
		var on atomic.Bool
		at := b.Now().Format(time.RFC3339)
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			_, rest := pathOf(r)
			switch {
			case rest == "banking/logins" && on.Load():
				return answers(r, 200, `[{"bankLoginId":"new","status":"OK","active":false,"lastSynchronization":"2020-01-01T00:00:00Z"}]`), nil
			case rest == "banking/logins":
				return answers(r, 200, `[]`), nil
			case rest == "banking/correlation" && on.Load():
				return answers(r, 200, `{"correlationID":"moved","correlationTimestamp":"`+at+`"}`), nil
			case rest == "banking/sync":
				return answers(r, 400, `{"type":"credentials_required","message":"x"}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		lines := []string{oneService, "streams: [accounts, contracts]", "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 50h, settle_timeout: 1s}", lenient}
		b.run(lines...)
		on.Store(true)
		for n := range 8 {
			b.Night()
			rep := b.run(lines...)
			asked := b.asked(0)
			b.t.Logf("night %d: %v sessions %v probe %+v", n, asked, rep.SyncSessions, rep.Probe)
			c := b.cursors()[b.UserID(0)]
			if c[config.StreamSyncSessions].CorrelationID == "moved" && c[config.StreamAccounts].CorrelationID != "moved" {
				t.Errorf("banking was seen at moved, accounts are of %s, not asked: %d; sessions %v", c[config.StreamAccounts].CorrelationID, rep.Streams[config.StreamAccounts].NotAsked, rep.SyncSessions)
				return
			}
		}
	})
}

func TestPlanForetellsWhomTheRunAsks(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"plain":  {oneService},
		"sync":   {oneService, "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 60h, settle_timeout: 1s}"},
		"weekly": {oneService, eachLogins},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(40)
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.light()
				for n := range 9 {
					o := b.options(b.config(lines...))
					p, err := b.plan(o, n%2 == 1)
					if err != nil {
						t.Fatal(err)
					}
					rep, err := b.try(t.Context(), o)
					if err != nil {
						t.Fatal(err)
					}
					if p.Probe.AskedOne != rep.Probe.AskedOne || p.Probe.Owed != rep.Probe.Owed || p.Probe.Audited != rep.Probe.Audited {
						t.Errorf("night %d: plan %s\nrun %s", n, p.Probe.Text(), rep.Probe.Text())
					}
					if n > 1 {
						for _, op := range []string{"correlation", "logins"} {
							if d := p.RequestsByOperation[op] - rep.RequestsByOperation[op]; d > 5 || d < -5 {
								t.Errorf("night %d: %s planned %d made %d", n, op, p.RequestsByOperation[op], rep.RequestsByOperation[op])
							}
						}
					}
					b.Night()
				}
			})
		})
	}
}

func TestStateOfLoginsDoesNotGrowWithKeys(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t := b.t
		var sizes []int
		var entries []int
		for n := range 5 {
			key := fmt.Sprintf("mask_key: \"k%031d\"", n+1)
			for range 2 {
				b.run(oneService, "mask: {bank_logins: {bank_login_id: hmac}}", key, "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 10000h}")
				b.Night()
			}
			s := b.cursors()[b.UserID(0)][config.StreamSyncSessions].State
			sizes, entries = append(sizes, len(s)), append(entries, len(banksync.Recall(s)))
		}
		if entries[4] > entries[0] {
			t.Errorf("bytes %v, entries %v", sizes, entries)
		}
	})
}
