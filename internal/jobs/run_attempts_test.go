package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

var errKilled = errors.New("the process is dead")

// killable writes to a store until it is dead. What a dead process has in flight may
// still arrive: in the order in which it was sent.
type killable struct {
	bucket.Store
	dead atomic.Bool
	left atomic.Int64 // writes until then; negative: not by their number
}

func (k *killable) killed() error {
	if k.dead.Load() {
		return errKilled
	}
	if k.left.Load() >= 0 && k.left.Add(-1) < 0 {
		k.dead.Store(true)
		return errKilled
	}
	return nil
}

func (k *killable) Put(ctx context.Context, key string, body []byte, c bucket.Condition) (bucket.Info, error) {
	if err := k.killed(); err != nil {
		return bucket.Info{}, err
	}
	return k.Store.Put(ctx, key, body, c)
}

func (k *killable) Delete(ctx context.Context, key string) error {
	if err := k.killed(); err != nil {
		return err
	}
	return k.Store.Delete(ctx, key)
}

func (k *killable) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if err := k.killed(); err != nil {
		return err
	}
	return k.Store.CompleteUpload(ctx, up, parts)
}

func (k *killable) AbortUpload(ctx context.Context, up bucket.Upload) error {
	if err := k.killed(); err != nil {
		return err
	}
	return k.Store.AbortUpload(ctx, up)
}

// posts counts the sessions that reach the bank, by login.
type posts struct {
	mu sync.Mutex
	by map[string]int
}

// countPosts counts, and calls after with what a POST was answered.
func (b *bank) countPosts(after func(*http.Request, *http.Response) (*http.Response, error)) *posts {
	return b.countPostsTo(b.Transport(), after)
}

func (b *bank) countPostsTo(next http.RoundTripper, after func(*http.Request, *http.Response) (*http.Response, error)) *posts {
	p := &posts{by: map[string]int{}}
	b.transport = via{next, func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost || pathBelow(r) != "banking/sync" {
			return nil, nil //nolint:nilnil // goes on
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := next.RoundTrip(r)
		p.mu.Lock()
		p.by[string(body)]++
		p.mu.Unlock()
		if err != nil || after == nil {
			return resp, err
		}
		return after(r, resp)
	}}
	return p
}

func (p *posts) take() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := p.by
	p.by = map[string]int{}
	return by
}

func total(by map[string]int) (n int) {
	for _, k := range by {
		n += k
	}
	return n
}

// notes are the objects of attempts that stand.
func (b *bank) notes() []string {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "_syncer/nightly/attempts/*"))
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

// expire takes the lease of a dead process away: in a bubble a folder's clock is not
// the process's.
func (b *bank) expire() {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.dir, "_syncer/nightly/leases")); err != nil {
		b.t.Fatal(err)
	}
}

// remembered is what cursors remember of sessions, by login.
func (b *bank) remembered() banksync.Logins {
	all := banksync.Logins{}
	for _, streams := range b.cursors() {
		maps.Copy(all, banksync.Recall(streams[config.StreamSyncSessions].State))
	}
	return all
}

func (b *bank) written(table string) (n int64) {
	for _, r := range b.log() {
		n += r.Tables[table].Upserts
	}
	return n
}

const askingAll = "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 61s}"

// Whatever write a run dies at: no bank is asked again of which the dead run may have
// asked, and each session is a row.
func TestAKilledRunCostsNoSession(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("many runs")
	}
	const users = 5
	for at, more := int64(0), true; more && at < 60; at += eachNth(7) {
		inBubble(t, banktest.Steady(users), func(b *bank) {
			t := b.t
			asked := b.countPosts(nil)
			k := &killable{}
			k.left.Store(at)
			b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
			_, err := b.try(t.Context(), b.options(b.config(askingAll, "streams: [contracts]")))
			if more = k.dead.Load(); !more && err != nil {
				t.Fatalf("not killed, and yet: %v", err)
			}
			b.wrap = nil
			b.expire()
			first := asked.take()
			rows := total(first)
			committed, _ := filepath.Glob(filepath.Join(b.dir, "_syncer/nightly/log/*.json"))
			if len(committed) > 0 {
				first = map[string]int{} // what came of it is known, and always asks again
			}
			b.run(askingAll, "streams: [contracts]")
			second := asked.take()
			for login, n := range first {
				if n > 1 || second[login] > 0 {
					t.Errorf("killed at write %d: %s was asked for %d times, and %d more", at, login, n, second[login])
				}
			}
			if got := b.written("sync_sessions"); got < int64(rows+total(second)) {
				t.Errorf("killed at write %d: %d rows of %d and %d sessions", at, got, rows, total(second))
			}
			if left := b.notes(); len(left) > 0 {
				t.Errorf("killed at write %d: left over: %v", at, left)
			}
		})
	}
}

func TestASessionInFlightAtAKillIsUnknownAndNotAskedForAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(6), func(b *bank) {
		t := b.t
		k := &killable{}
		k.left.Store(-1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		asked := b.countPosts(func(*http.Request, *http.Response) (*http.Response, error) {
			k.dead.Store(true) // with the bank at work
			cancel()
			return nil, io.ErrUnexpectedEOF
		})
		b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
		_, _ = b.try(ctx, b.options(b.config(askingAll, "streams: [contracts]")))
		first := asked.take()
		notes := b.notes()
		b.wrap = nil
		b.expire()
		v, err := sink.Verify(t.Context(), sink.VerifyOptions{Store: b.store(), Job: "nightly", ScratchDir: t.TempDir()})
		if err != nil || len(notes) == 0 || !strings.Contains(fmt.Sprint(v.Notes), "/attempts/") || len(v.Problems) > 0 {
			t.Fatalf("%d notes; verify: %v, %+v", len(notes), err, v)
		}
		var early atomic.Int64 // sessions before what was found is committed
		asked = b.countPosts(func(_ *http.Request, resp *http.Response) (*http.Response, error) {
			if b.written("sync_sessions") < int64(len(first)) {
				early.Add(1)
			}
			return resp, nil
		})
		rep := b.run(askingAll, "streams: [contracts]")
		if n := early.Load(); n > 0 {
			t.Errorf("%d banks were asked before what the dead run had asked for was committed", n)
		}
		if rep.SyncSessions["unknown"] == 0 {
			t.Errorf("%v", rep.SyncSessions)
		}
		second := asked.take()
		memory := b.remembered()
		for login := range first {
			if second[login] > 0 {
				t.Errorf("%s was asked for again", login)
			}
		}
		unknown := 0
		for _, m := range memory {
			if m.Unsure {
				unknown++
			}
		}
		if unknown < len(first) || len(second) == 0 || len(b.notes()) > 0 {
			t.Errorf("%d of %d unknown, %d others asked, left over: %v", unknown, len(first), len(second), b.notes())
		}
		b.Night()
		b.run(askingAll, "streams: [contracts]")
		if third := asked.take(); len(third) < len(first)+len(second) {
			t.Errorf("the night after %d of %d logins were asked for", len(third), len(first)+len(second))
		}
	})
}

// The run that finds them may be killed as well, at whatever write, and by one shard of
// several: of the first run's sessions, none is asked for again.
func TestAKilledRecoveryCostsNoSession(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("many runs")
	}
	for at, more := int64(0), true; more && at < 60; at += eachNth(7) {
		inBubble(t, banktest.Steady(5), func(b *bank) {
			t := b.t
			k := &killable{}
			k.left.Store(-1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := b.countPosts(func(*http.Request, *http.Response) (*http.Response, error) {
				k.dead.Store(true)
				cancel()
				return nil, io.ErrUnexpectedEOF
			})
			b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
			_, _ = b.try(ctx, b.options(b.config(askingAll, "streams: [contracts]")))
			first := asked.take()
			b.expire()
			asked = b.countPosts(nil)
			k = &killable{}
			k.left.Store(at)
			half := b.options(b.config(askingAll, "streams: [contracts]"))
			half.Shard = cursors.Shard{Index: 1, Count: 2}
			_, _ = b.try(t.Context(), half)
			more = k.dead.Load()
			b.wrap = nil
			b.expire()
			b.run(askingAll, "streams: [contracts]")
			for login := range asked.take() {
				if first[login] > 0 {
					t.Errorf("killed at write %d: %s was asked for again", at, login)
				}
			}
			if got := b.written("sync_sessions"); got < int64(len(first)) || len(b.notes()) > 0 || len(first) == 0 {
				t.Errorf("killed at write %d: %d rows of %d sessions, left over: %v", at, got, len(first), b.notes())
			}
		})
	}
}

// The clock was put back after a night, by less than a day or by years: what the next
// run leaves in flight is known to the one after it all the same.
func TestAnAttemptIsFoundThoughTheClockWasPutBack(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{2 * time.Hour, 2 * 365 * 24 * time.Hour} {
		inBubble(t, banktest.Steady(6), func(b *bank) {
			t, ahead, begun := b.t, back, time.Now()
			day := b.Now()
			b.now = func() time.Time { return day.Add(time.Since(begun)).Add(ahead) }
			b.run(askingAll, "streams: [contracts]")
			b.expire()
			ahead = 0
			k := &killable{}
			k.left.Store(-1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := b.countPosts(func(*http.Request, *http.Response) (*http.Response, error) {
				k.dead.Store(true)
				cancel()
				return nil, io.ErrUnexpectedEOF
			})
			b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return k }
			_, _ = b.try(ctx, b.options(b.config(askingAll, "streams: [contracts]")))
			first := asked.take()
			b.wrap = nil
			b.expire()
			asked = b.countPosts(nil)
			b.run(askingAll, "streams: [contracts]")
			second := asked.take()
			for login := range first {
				if second[login] > 0 {
					t.Errorf("%s was asked for again", login)
				}
			}
			if len(first) == 0 || len(b.notes()) > 0 {
				t.Errorf("%d were asked for, left over: %v", len(first), b.notes())
			}
		})
	}
}

func TestASessionInFlightAtASignalIsInTheLastCommit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		after   time.Duration
		outcome string
	}{
		"answered in time": {3 * time.Second, "synced"},
		"not answered":     {time.Minute, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(6), func(b *bank) {
				t := b.t
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				asked := b.countPosts(func(r *http.Request, resp *http.Response) (*http.Response, error) {
					cancel()
					select {
					case <-time.After(test.after):
						return resp, nil
					case <-r.Context().Done():
						return nil, context.Cause(r.Context())
					}
				})
				rep, _ := b.stops(ctx, ReasonInterrupted, b.options(b.config(askingAll, "streams: [contracts]")))
				first := asked.take()
				if rep.SyncSessions[test.outcome] != int64(total(first)) || len(first) == 0 || rep.Commits != 1 || b.written("sync_sessions") != int64(total(first)) {
					t.Errorf("%d sessions, %v in %d commits", total(first), rep.SyncSessions, rep.Commits)
				}
				if left := b.notes(); len(left) > 0 {
					t.Errorf("left over: %v", left)
				}
				if test.outcome != "unknown" {
					return
				}
				asked = b.countPosts(nil)
				b.run(askingAll, "streams: [contracts]")
				for login := range asked.take() {
					if first[login] > 0 {
						t.Errorf("%s was asked for again", login)
					}
				}
			})
		})
	}
}
