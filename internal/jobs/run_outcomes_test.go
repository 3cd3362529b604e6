package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
)

// neverSent is a session whose connection breaks before it reaches the bank,
// which nobody can know.
const neverSent sandbox.Kind = "never sent"

// repetition is one outcome, and how often a stale login's bank is asked in
// two runs of one night, two of the next, and one after needs_user_retry.
type repetition struct {
	kind    sandbox.Kind
	outcome string
	posts   [5]int
}

var repetitions = []repetition{
	// The login is fresh then, and stale again the next night.
	{sandbox.SyncSucceeds, "synced", [5]int{1, 0, 1, 0, 1}},
	// Lost, but carried out: lastSynchronization tells.
	{sandbox.Reset, "unknown", [5]int{1, 0, 1, 0, 1}},
	// Lost on the way there: lastSynchronization tells that, too.
	{neverSent, "unknown", [5]int{1, 1, 1, 1, 1}},
	{sandbox.DailyLimit, "daily_limit", [5]int{1, 0, 1, 0, 1}},
	{sandbox.Deprecated, "interface_deprecated", [5]int{1, 0, 0, 0, 1}},
	{sandbox.Credentials, "credentials_required", [5]int{1, 0, 0, 0, 1}},
	{sandbox.Blocked, "blocked", [5]int{1, 0, 0, 0, 1}},
	{sandbox.SCARequired, "sca_required", [5]int{1, 0, 0, 0, 1}},
	{sandbox.Rejected, "rejected", [5]int{1, 0, 0, 0, 1}},
	{sandbox.Forbidden, "forbidden", [5]int{1, 0, 0, 0, 1}},
	// No bank was asked: once a run.
	{sandbox.NotFound, "gone", [5]int{1, 1, 1, 1, 1}},
	{sandbox.ServerError, "failed", [5]int{1, 1, 1, 1, 1}},
}

// unattended counts the logins of users that finoOS does not keep fresh.
func (b *bank) unattended() map[string]int {
	n := map[string]int{}
	for row := range b.Truth("bank_logins") {
		if active, told := row["active"].(bool); !told || !active {
			n[fmt.Sprint(row["user_id"])]++
		}
	}
	return n
}

func TestEveryOutcomeTwiceANightOnTwoNightsCostsNoSessionTooMany(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(12*len(repetitions)), func(b *bank) {
		t := b.t
		for range 4 {
			b.Night() // everybody's data grows old
		}
		faults := sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{}}
		of, logins := map[int]repetition{}, b.unattended()
		next := 0
		for u := range b.Users() {
			if logins[b.UserID(u)] == 0 || next == 2*len(repetitions) {
				continue
			}
			r := repetitions[next%len(repetitions)]
			next++
			of[u] = r
			if r.kind != neverSent {
				faults.Users[strconv.Itoa(u)] = map[string]sandbox.UserFault{"synchronize": {Kind: r.kind}}
			}
		}
		if next < len(repetitions) {
			t.Fatalf("only %d users with logins to synchronise", next)
		}
		b.misbehave(faults)
		posts := map[string]int{} // that did not get to the bank
		b.transport = via{b.Transport(), func(r *http.Request) (*http.Response, error) {
			id, isSync := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/users/"), "/banking/sync")
			for u, rep := range of {
				if isSync && rep.kind == neverSent && b.UserID(u) == id {
					posts[id]++
					return nil, errors.New("read: connection reset by peer")
				}
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		stale := "sync: {when: stale, user_ip: 203.0.113.7, settle_timeout: 7s}"
		for step := range 5 {
			switch step {
			case 2:
				b.Night()
			case 4:
				for range 7 {
					b.Night()
				}
			}
			clear(posts)
			o := b.options(b.config(stale, "streams: [bank_logins]", "concurrency: 1", "failures: {max_ratio: 1}"))
			for u := range of {
				o.Users = append(o.Users, b.UserID(u))
			}
			rep, err := b.try(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int64{}
			for u, r := range of {
				id := b.UserID(u)
				asked, wanted := b.asked(u)["synchronize"]+posts[id], r.posts[step]*logins[id]
				if asked != wanted {
					t.Errorf("run %d, %s (%s): %d sessions for %d logins, want %d", step+1, r.outcome, r.kind, asked, logins[id], wanted)
				}
				if wanted > 0 {
					want[r.outcome] += int64(wanted)
				}
			}
			for outcome, n := range rep.SyncSessions {
				if want[outcome] != n {
					t.Errorf("run %d: %d sessions %s, want %d", step+1, n, outcome, want[outcome])
				}
			}
		}
	})
}

func TestAChangedStatusOfTheLoginEndsTheWaitForItsUser(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(6)
	o.Plain = true
	o.Sync.Credentials = 1
	inBubble(t, o, func(b *bank) {
		t := b.t
		lines := []string{syncing, "streams: [bank_logins]"}
		first := b.run(lines...).SyncSessions["credentials_required"]
		if again := b.run(lines...).SyncSessions["credentials_required"]; first == 0 || again != 0 {
			t.Fatalf("%d sessions, then %d", first, again)
		}
		healthy := b.Transport()
		b.transport = via{healthy, func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/logins") {
				return nil, nil //nolint:nilnil // goes on
			}
			resp, err := healthy.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return nil, err
			}
			body = bytes.ReplaceAll(body, []byte(`"OK"`), []byte(`"SYNC_FAILED"`))
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			resp.Header.Del("Content-Length")
			return resp, nil
		}}
		for run, want := range []int64{first, 0} {
			if got := b.run(lines...).SyncSessions["credentials_required"]; got != want {
				t.Errorf("run %d with another status: %d sessions, want %d", run+1, got, want)
			}
		}
	})
}

func TestALookAtASettlingUserBacksOffAndEnds(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(1)
	o.AnalysisDelay = 24 * 60 * 60 * 1e9
	inBubble(t, o, func(b *bank) {
		t := b.t
		rep := b.run("sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 604s}", "streams: [contracts]")
		// 2 s at first, eight fifths of it each time, then once a minute.
		if n := b.asked(0)["correlation contracts"]; rep.Unsettled != 1 || n < 12 || n > 18 {
			t.Errorf("%d looks in ten minutes, %d users unsettled", n, rep.Unsettled)
		}
	})
}
