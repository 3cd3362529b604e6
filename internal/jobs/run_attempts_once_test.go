package jobs

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/sink/bucket"
)

// The answer was lost, that is committed, and the run ends while the bank may still be at
// work: whoever starts the job again at once does not ask that bank again.
func TestASessionThatIsUnknownIsNotAskedForAgainWhileTheBankMayBeAtWork(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(6), func(b *bank) {
		t := b.t
		b.transport = via{b.Transport(), func(r *http.Request) (*http.Response, error) {
			if pathBelow(r) != "banking/sync" {
				return nil, nil //nolint:nilnil // goes on
			}
			return &http.Response{StatusCode: http.StatusGatewayTimeout, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}}
		day, begun := b.Now(), time.Now()
		b.now = func() time.Time { return day.Add(time.Since(begun)) }
		asked := b.countPostsTo(b.transport, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		lines := []string{"sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 5m}", "streams: [contracts]"}
		rep, _ := b.stops(ctx, ReasonInterrupted, b.options(b.config(lines...)))
		first := asked.take()
		if len(first) == 0 || rep.SyncSessions["unknown"] != int64(total(first)) {
			t.Fatalf("%d sessions, %v", total(first), rep.SyncSessions)
		}
		b.run(lines...)
		if again := asked.take(); total(again) > 0 {
			t.Errorf("%d of %d were asked for again at once", total(again), total(first))
		}
		time.Sleep(6 * time.Minute)
		b.run(lines...)
		if later := asked.take(); len(later) != len(first) {
			t.Errorf("later %d of %d were asked for again", len(later), len(first))
		}
	})
}

// refusingNotes is a store that takes no notes of attempts.
type refusingNotes struct{ bucket.Store }

func (s refusingNotes) Put(ctx context.Context, key string, body []byte, c bucket.Condition) (bucket.Info, error) {
	if strings.Contains(key, "/attempts/") {
		return bucket.Info{}, bucket.ErrDenied
	}
	return s.Store.Put(ctx, key, body, c)
}

func TestWhereNoNoteCanBeTakenNoBankIsAsked(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(6), func(b *bank) {
		t := b.t
		asked := b.countPosts(nil)
		b.wrap = func(s bucket.Store) bucket.Store { return refusingNotes{s} }
		_, _ = b.stops(t.Context(), ReasonSink, b.options(b.config(askingAll, "streams: [contracts]")))
		if n := total(asked.take()); n > 0 {
			t.Errorf("%d banks were asked", n)
		}
	})
}

func TestThoseWhoAreAskedForTogetherAreNotedTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(200), func(b *bank) {
		t := b.t
		var notes atomic.Int64
		b.wrap = func(s bucket.Store) bucket.Store { return countingNotes{s, &notes} }
		b.light()
		rep := b.run(askingAll, "streams: [contracts]", "concurrency: 16")
		n := int64(b.Counts()["synchronize"])
		if each := float64(n) / float64(notes.Load()); n < 200 || each < 8 || rep.SyncSessions["synced"] != n || len(b.notes()) > 0 {
			t.Errorf("%d sessions in %d objects, %v; left over: %v", n, notes.Load(), rep.SyncSessions, b.notes())
		}
	})
}

type countingNotes struct {
	bucket.Store
	n *atomic.Int64
}

func (s countingNotes) Put(ctx context.Context, key string, body []byte, c bucket.Condition) (bucket.Info, error) {
	if strings.Contains(key, "/attempts/") {
		s.n.Add(1)
	}
	return s.Store.Put(ctx, key, body, c)
}

// What reached the bank and was answered by a gateway: however often the job runs that
// day, the bank is asked once.
func TestABankBehindAGatewayIsAskedOnceADay(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"202", "303", "408", "500", "502", "503", "504", "page", "reset", "cut"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			o := banktest.Steady(6)
			o.Readings.SyncAnswer = answer
			inBubble(t, o, func(b *bank) {
				t := b.t
				asked := b.countPosts(nil)
				for range 3 {
					b.run(askingAll, "streams: [contracts]")
					time.Sleep(20 * time.Minute)
				}
				by := asked.take()
				for login, n := range by {
					if n != 1 {
						t.Errorf("%s was asked for %d times", login, n)
					}
				}
				if len(by) == 0 {
					t.Error("nobody was asked")
				}
			})
		})
	}
}

func TestEachUserHasAnAddressOfTheirOwnOrNoSession(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(4), func(b *bank) {
		t := b.t
		file := filepath.Join(t.TempDir(), "ips.csv")
		text := "user_id,address\n" + b.UserID(0) + ",203.0.113.1\n" + b.UserID(1) + ",2001:db8::1\n" + b.UserID(2) + ",\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		var mu sync.Mutex
		b.transport = via{b.Transport(), func(r *http.Request) (*http.Response, error) {
			if user, rest := below(r); rest == "banking/sync" {
				mu.Lock()
				told[user] = r.Header.Get("User-Ip")
				mu.Unlock()
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		lines := "sync: {when: always, settle_timeout: 61s, user_ip: 203.0.113.7, user_ips: " + file + "}"
		rep := b.run(lines, "streams: [contracts]")
		if len(told) != 2 || told[b.UserID(0)] != "203.0.113.1" || told[b.UserID(1)] != "2001:db8::1" || rep.NoAddress != 2 {
			t.Errorf("told %v, %d without an address", told, rep.NoAddress)
		}
		if err := os.WriteFile(file, []byte("u1,here\nu2,there\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := b.stops(t.Context(), ReasonConfig, b.options(b.config(lines))); !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%v", err)
		}
	})
}
