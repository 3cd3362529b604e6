package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/bucket"
)

// A user with a waiver who goes stays known for ever, and is declared gone again and again.
func TestGoneUserWithAWaiverEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(8), func(b *bank) {
		t := b.t
		streams := "streams: [users, accounts, contracts]"
		town := newTown(b)
		town.are(upTo(8)...)
		id := b.UserID(3)
		b.run(oneService, streams)
		b.Night()
		at := b.Now()
		b.transport = via{town, func(r *http.Request) (*http.Response, error) {
			if user, rest := pathOf(r); user == id && rest == "banking/correlation" && town.there[id] {
				return answers(r, 200, fmt.Sprintf(`{"correlationID":"moved","correlationTimestamp":%q}`, at.Format("2006-01-02T15:04:05Z"))), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		for range 20 {
			b.run(oneService, streams)
			b.Night()
		}
		if _, ok := b.cursors()[id][config.StreamProbe]; !ok {
			t.Fatalf("no waiver: %v", b.cursors()[id])
		}
		town.are(0, 1, 2, 4, 5, 6, 7)
		gone := int64(0)
		for n := range 6 {
			rep, err := b.try(t.Context(), b.options(b.config(oneService, streams, "max_gone: 0.5")))
			gone += rep.Users.Gone
			t.Logf("night %d: gone %d missing %d err %v cursors %v; asked own path %v", n, rep.Users.Gone, rep.Users.Missing, err, keysOf(b.cursors()[id]), b.asked(3))
			b.Night()
		}
		rows := 0
		for _, r := range b.seen("users") {
			if r["user_id"] == id && r["_op"] == "delete" {
				rows++
			}
		}
		if gone != 1 || rows != 1 {
			t.Errorf("declared gone %d times, %d delete rows", gone, rows)
		}
		if c := b.cursors()[id]; len(c) > 0 {
			t.Errorf("cursors stay: %v", keysOf(c))
		}
	})
}

func keysOf[K comparable, V any](m map[K]V) (ks []K) {
	for k := range m {
		ks = append(ks, k)
	}
	return ks
}

// Banking moved, the logins could not be read and the run was stopped; the next night the one is quiet.
func TestLoginsMissedBecauseARunWasStoppedAreReadNextNight(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(4), func(b *bank) {
		t := b.t
		b.run(oneService)
		b.Night()
		var down atomic.Bool
		var tries atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		down.Store(true)
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if _, rest := pathOf(r); down.Load() && rest == "banking/logins" {
				if tries.Add(1) == 12 {
					cancel()
				}
				return answers(r, 503, `{}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		rep, err := b.try(ctx, b.options(b.config(oneService)))
		t.Logf("stopped: %v; accounts pulled %d, tries %d", err, rep.Streams[config.StreamAccounts].Pulled, tries.Load())
		b.expire()
		down.Store(false)
		b.run(oneService)
		c := b.cursors()
		for u := range 4 {
			id := b.UserID(u)
			l := b.asked(u)
			if l["logins"] == 0 {
				t.Errorf("user %d: banking is of %s, logins were read at %s, and are not read: %v", u, c[id][config.StreamAccounts].CorrelationID, c[id][config.StreamSyncSessions].CorrelationID, l)
			}
		}
	})
}

// The same with sync sessions on and no stream bank_logins: one 5xx night.
func TestLoginsThatCouldNotBeReadForSyncAreReadTheNextNight(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{oneService, eachService} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(4), func(b *bank) {
				t := b.t
				lines := []string{probe, "streams: [users, accounts, contracts]", "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 100000h, settle_timeout: 1s}", lenient}
				b.run(lines...)
				b.Night()
				b.misbehave(faultOf(2, "logins", sandbox.Rejected))
				b.run(lines...)
				b.misbehave(sandbox.Faults{})
				b.run(lines...)
				if n := b.asked(2)["logins"]; n == 0 {
					c := b.cursors()[b.UserID(2)]
					t.Errorf("banking %s, logins of %s: not read, %v", c[config.StreamAccounts].CorrelationID, c[config.StreamSyncSessions].CorrelationID, b.asked(2))
				}
			})
		})
	}
}

func TestStatusWithDamagedProbeState(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		t := b.t
		b.run()
		b.Night()
		b.run()
		found := false
		for info, err := range b.store().List(t.Context(), "_syncer/", "") {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(info.Key, "probe") {
				found = true
				body, _, _ := b.store().Get(t.Context(), info.Key)
				t.Logf("%s: %s", info.Key, body)
				if _, err := b.store().Put(t.Context(), info.Key, []byte(`{"runs":[]}`), bucket.Condition{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !found {
			t.Fatal("no state")
		}
		if _, err := ReadStatus(t.Context(), StatusOptions{Config: b.config(), Job: "nightly", Now: b.Now}); err != nil {
			t.Errorf("status: %v", err)
		}
	})
}

// With a mask and no key each user's cursor is written every night, and bare ids of logins stand in it.
func TestMaskWithoutAKeyWritesNothingOnQuietNights(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		t := b.t
		lines := []string{oneService, "mask: {bank_logins: {status: drop}}", "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 100000h}"}
		for range 3 {
			b.run(lines...)
			b.Night()
		}
		n := len(b.log())
		was := b.cursors()
		b.run(lines...)
		moved := 0
		for id, c := range b.cursors() {
			if !c[config.StreamSyncSessions].ExtractedAt.Equal(was[id][config.StreamSyncSessions].ExtractedAt) {
				moved++
			}
		}
		if len(b.log()) != n || moved > 0 {
			t.Errorf("%d commits, %d cursors written on a quiet night", len(b.log())-n, moved)
		}
	})
}

// A mask that comes later, without a key.
func TestMaskWithoutAKeyForgetsWhatLoginsWereLike(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t := b.t
		sync := "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 100000h}"
		b.run(oneService, sync)
		b.Night()
		for range 16 {
			b.run(oneService, sync, "mask: {bank_logins: {status: drop, last_synchronization: drop}}")
			b.Night()
		}
		for id, c := range b.cursors() {
			if s := c[config.StreamSyncSessions].State; bytes.Contains(s, []byte(`"last_synchronization"`)) || bytes.Contains(s, []byte(`"seen":{`)) {
				t.Errorf("%s: %s", id, s)
			}
		}
	})
}

// One night null instead of the list.
func TestNullLoginsForOneNightEndNoSyncs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"null"} {
		inBubble(t, banktest.Still(4), func(b *bank) {
			t := b.t
			lines := []string{oneService, "streams: [users, accounts, contracts]", "sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 1s}", lenient}
			var null atomic.Bool
			b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
				_, rest := pathOf(r)
				switch {
				case rest == "banking/logins" && null.Load():
					return answers(r, 200, body), nil
				case rest == "banking/sync":
					return answers(r, 204, ""), nil
				}
				return nil, nil //nolint:nilnil // goes on
			}}
			first := b.run(lines...)
			b.Night()
			null.Store(true)
			b.run(lines...)
			null.Store(false)
			b.Night()
			for n := range 3 {
				rep := b.run(lines...)
				if rep.SyncSessions["synced"] != first.SyncSessions["synced"] {
					t.Errorf("night %d: sessions %v, at first %v; logins read %d", n, rep.SyncSessions, first.SyncSessions, rep.RequestsByOperation["logins"])
				}
				b.Night()
			}
		})
	}
}

// The analysis finishes between the reading of the logins and banking's correlation.
func TestLoginsAreOfTheAnalysisThatWasReadBeforeThem(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{oneService, eachService} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(1), func(b *bank) {
				t := b.t
				var late atomic.Bool
				at := b.Now().Format("2006-01-02T15:04:05Z")
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					_, rest := pathOf(r)
					switch {
					case rest == "banking/logins":
						status := "OLD"
						if late.Swap(true) {
							status = "NEW"
						}
						return answers(r, 200, `[{"bankLoginId":"l","status":"`+status+`","active":false,"lastSynchronization":"2026-11-01T00:00:00Z"}]`), nil
					case strings.HasSuffix(rest, "/correlation"):
						id := "before"
						if late.Load() {
							id = "after"
						}
						return answers(r, 200, `{"correlationID":"`+id+`","correlationTimestamp":"`+at+`"}`), nil
					}
					return nil, nil //nolint:nilnil // goes on
				}}
				b.run(probe)
				stale := 0
				for range 8 {
					b.Night()
					b.run(probe)
					status := ""
					for _, r := range b.seen("bank_logins") {
						if r["status"] == "NEW" {
							status = "NEW"
						}
					}
					if status == "NEW" {
						break
					}
					stale++
				}
				if stale > 0 {
					t.Errorf("bank_logins were out of date for %d more nights", stale)
				}
			})
		})
	}
}

// A void leaves the cursor of sync_sessions erased for ever.
func TestAfterAVoidLoginsAreReadOnce(t *testing.T) {
	t.Parallel()
	for _, probe := range []string{oneService, eachService} {
		t.Run(probe, func(t *testing.T) {
			t.Parallel()
			o := banktest.Steady(6)
			inBubble(t, o, func(b *bank) {
				t := b.t
				streams := "streams: [users, bank_logins, contracts, accounts]"
				b.loses("pulls", probe, streams)
				var read []int64
				for range 5 {
					rep := b.run(probe, streams)
					read = append(read, rep.RequestsByOperation["logins"])
				}
				c := b.cursors()[b.UserID(0)][config.StreamSyncSessions]
				if read[2] > 2 || read[3] > 2 {
					t.Errorf("logins read in each run: %v; erased: %v", read, c.Erased)
				}
			})
		})
	}
}

var _ = json.Marshal
