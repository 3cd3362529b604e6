package jobs

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/cursors"
)

// settler is a user about whom there is all that there can be while it settles.
func settler(id string, began time.Time, state int) *user {
	at := tonight.Truncate(time.Microsecond)
	known := []cursors.Cursor{
		{UserID: id, Stream: "contracts", CorrelationID: "c1", CorrelationAt: at, ExtractedAt: at.Add(1000), FullAt: at, PulledAt: at, HashVersion: 3, FullSeq: 7, Whole: true, State: make([]byte, state)},
		{UserID: id, Stream: "accounts", Failures: 2, RetryAt: at, ErrorClass: "server", FirstSeenAt: at, Ended: true, Backfilled: true, BackfilledAt: at, MarkOnly: true},
		{UserID: id, Stream: string(config.StreamMissing), ExtractedAt: at},
	}
	u := newUser(id, nil, known)
	u.begun, u.early, u.checked, u.lost, u.noAddress = true, true, true, true, true
	u.soFar = soFar{pulled: true, failed: true, noAnalysis: true, notBooked: true, quarantined: true, returns: 3}
	u.pulledAt = []time.Time{at, {}}
	u.logins.read = true
	u.LastWritten = at
	u.streams, u.services = []config.Stream{"contracts", "accounts"}, []finoos.Service{"contracts", "banking"}
	u.scopes = scopes{hash: 1 << 63, without: []config.Stream{"contracts"}}
	u.probes["banking"] = probe{correlation: finoos.Correlation{ID: "c2", At: at}}
	u.settle = &settling{
		began: began.Add(time.Second), deadline: began.Add(time.Hour), wait: 3 * time.Second,
		before: map[finoos.Service]finoos.Correlation{"contracts": {ID: "c0", At: at}, "banking": {}},
		named:  map[string]bool{"c9": true}, open: map[finoos.Service]bool{"contracts": true},
	}
	return u
}

func TestAUserWhoSettlesComesBackFromDiskAsItWas(t *testing.T) {
	t.Parallel()
	began := time.Now()
	u := settler("u1", began, 5)
	if !u.plain() {
		t.Fatal("it stays in memory")
	}
	got, err := decodeSettling(encodeSettling(u, began), began)
	if err != nil {
		t.Fatal(err)
	}
	all := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(u, got, all, cmpopts.EquateEmpty(), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("-was +is:\n%s", diff)
	}
	// A field that this test leaves alone would be lost, and nobody would know.
	for _, f := range []string{"Listed", "Logins", "Joined", "gone", "attempts", "again", "parts", "parked", "filled", "one", "choice", "audited", "joinable", "trial"} {
		if v := reflect.ValueOf(u).Elem().FieldByName(f); !v.IsZero() {
			t.Errorf("%s is not what keeps a user in memory", f)
		}
	}
	for i := range reflect.TypeFor[user]().NumField() {
		switch name := reflect.TypeFor[user]().Field(i).Name; name {
		case "gone", "attempts", "again", "parts", "parked", "filled", "one", "choice", "audited", "joinable", "trial", "User": // not of a plain one
		default:
			if reflect.ValueOf(u).Elem().Field(i).IsZero() {
				t.Errorf("%s is not covered here", name)
			}
		}
	}
	for cut := range encodeSettling(u, began) {
		if _, err := decodeSettling(encodeSettling(u, began)[:cut], began); err == nil {
			t.Errorf("cut at %d it is taken", cut)
		}
	}
}

func TestWhatIsNotPlainSettlesInMemory(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*user){
		"a failure":       func(u *user) { u.soon = []another{{}} },
		"one for the end": func(u *user) { u.later = []another{{}} },
		"in doubt":        func(u *user) { u.doubts = []doubt{{}} },
		"counted":         func(u *user) { u.tries = map[config.Stream]*tried{"contracts": {}} },
		"passed over":     func(u *user) { u.parts = []heldPart{{}} },
		"came back":       func(u *user) { u.again = true },
		"listed":          func(u *user) { u.Listed = &finoos.User{} },
	} {
		u := settler("u1", time.Now(), 0)
		if spoil(u); u.plain() {
			t.Errorf("%s would be lost", name)
		}
	}
}

// A disk that is full in the middle of a night costs room, and no run.
func TestWhereTheDiskIsFullUsersSettleInMemory(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var log strings.Builder
	s := &session{began: began, log: slog.New(slog.NewTextHandler(&log, nil))}
	n := &nightly{session: s, flow: &flow{queue: newQueue()}, shelf: scratch.Shelf{Dir: filepath.Join(t.TempDir(), "gone")}}
	defer n.shelf.Close()
	for i := range 3 {
		n.park(t.Context(), settler(fmt.Sprint("u", i), began, 6<<10), began)
	}
	for i := range 3 {
		u, _ := n.flow.queue.pop(began)
		if u == nil || u.ID != fmt.Sprint("u", i) || u.settle == nil || len(u.Cursors["contracts"].State) != 6<<10 {
			t.Fatalf("%+v", u)
		}
	}
	if n := strings.Count(log.String(), "WARN"); n != 1 || strings.Contains(log.String(), "u1") {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

// Not parallel: others would be measured, too.
//
//nolint:paralleltest // see above
func TestThoseWhoSettleTakeUpAnIDAndATime(t *testing.T) {
	const users = 20_000
	began := time.Now()
	n := &nightly{session: &session{began: began}, flow: &flow{queue: newQueue()}, shelf: scratch.Shelf{Dir: t.TempDir()}}
	defer n.shelf.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range users {
		u := settler(fmt.Sprintf("%08x-7d3c-4f3e-9c62-%012x", i, i), began, 6<<10)
		n.flow.inHand.begin(u.ID)
		n.park(t.Context(), u, began.Add(time.Duration(i)*time.Millisecond))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / users
	t.Logf("%d bytes each", each)
	if each > parkedBytes*3/2 || n.flow.queue.full() {
		t.Errorf("%d bytes each, full: %v", each, n.flow.queue.full())
	}
	for range users {
		u, _ := n.flow.queue.pop(began.Add(time.Hour))
		if u, err := n.unpark(u.parked); err != nil || len(u.Cursors["contracts"].State) != 6<<10 {
			t.Fatalf("%+v, %v", u, err)
		}
	}
}

// A service that never moves: those who wait for it are asked about again and again,
// and the others come all the same.
func TestThoseWhoNeverSettleDoNotHoldTheOthersPlaces(t *testing.T) {
	t.Parallel()
	users := 60
	if raceEnabled {
		users = 30
	}
	o := banktest.Steady(users)
	o.Faults.Users = map[string]map[string]sandbox.UserFault{}
	for u := range users {
		o.Faults.Users[strconv.Itoa(u)] = map[string]sandbox.UserFault{"correlation": {Kind: sandbox.NeverAnalysed}}
	}
	inBubble(t, o, func(b *bank) {
		t := b.t
		began := time.Now()
		first := map[string]time.Duration{}
		var mu sync.Mutex
		b.transport = via{b.Transport(), func(r *http.Request) (*http.Response, error) {
			user, _ := below(r)
			mu.Lock()
			if _, seen := first[user]; !seen && user != "" {
				first[user] = time.Since(began)
			}
			mu.Unlock()
			time.Sleep(time.Second)
			return nil, nil //nolint:nilnil // goes on
		}}
		b.run("sync: {when: always, user_ip: 203.0.113.7, settle_timeout: 40m}", "streams: [contracts]", "concurrency: 1", "lease_wait: 1h")
		last := time.Duration(0)
		for _, after := range first {
			last = max(last, after)
		}
		if len(first) < users || last > time.Duration(users)*12*time.Second {
			t.Errorf("%d users were begun, the last after %s", len(first), last)
		}
	})
}
