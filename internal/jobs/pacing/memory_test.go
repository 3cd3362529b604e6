package pacing

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)

// shard is what one has found that was at work from a second to another, counted from
// an hour ago on: the limit of every second between.
func shard(from, to int, limit func(second int) float64) Found {
	f := Found{Ended: now, Learned: now, Limit: limit(to), Burst: 2, Pause: 1, Began: now.Add(time.Duration(from)*time.Second - time.Hour)}
	for s := from; s <= to; s += max(1, (to-from)/20) {
		f.Course = append(f.Course, Point{float64(s - from), limit(s)})
	}
	return f
}

func remembers(found ...Found) *Memory {
	m := &Memory{Clients: map[string]Client{}}
	for i, f := range found {
		m.Add("k", "night", i, f)
	}
	return m
}

// Four shards of a limit of 40 end one after the other, and whoever is left takes what
// the others leave: their last limits are 10, 13.3, 20 and 40.
func TestShardsThatEndOneAfterTheOtherLeaveTheLimitTheyHadTogether(t *testing.T) {
	t.Parallel()
	ends := []int{600, 900, 1200, 1500}
	share := func(second int) float64 {
		n := 0
		for _, end := range ends {
			if second <= end {
				n++
			}
		}
		return 40 / float64(max(n, 1))
	}
	var all []Found
	for _, end := range ends {
		all = append(all, shard(0, end, share))
	}
	k, learned, ok := remembers(all...).Limit("k", "")
	if !ok || math.Abs(k.Limit-40) > 1 || k.Burst != 8 || k.Pause != time.Second || !learned.Equal(now) {
		t.Errorf("%+v, %v, %v", k, learned, ok)
	}
	// One that was started again later counts for where it was at work with the most.
	late := append(all[:3:3], shard(1000, 1500, share))
	if k, _, ok := remembers(late...).Limit("k", ""); !ok || k.Limit > 45 {
		t.Errorf("with a late one: %+v, %v", k, ok)
	}
	// Nobody leaves a course: the last limits, as if all had ended at once.
	for i := range all {
		all[i].Course = nil
	}
	if k, _, ok := remembers(all[0], all[1]).Limit("k", ""); !ok || math.Abs(k.Limit-23.3) > 0.1 {
		t.Errorf("without courses: %+v, %v", k, ok)
	}
}

func TestOnlyTheLastRunCountsAndNotTheOneThatBeginsAgain(t *testing.T) {
	t.Parallel()
	m := Memory{Clients: map[string]Client{}}
	of := func(limit float64, ended time.Time) Found {
		return Found{Ended: ended, Learned: ended, Limit: limit}
	}
	limit := func(group string) float64 {
		k, _, _ := m.Limit("k", group)
		return k.Limit
	}
	m.Add("k", "one", 0, of(10, now.Add(-48*time.Hour)))
	m.Add("k", "two", 0, of(20, now.Add(-24*time.Hour)))
	m.Add("k", "two", 1, of(25, now.Add(-24*time.Hour)))
	if got := limit(""); got != 45 {
		t.Errorf("%g, want that of the last run", got)
	}
	m.Add("k", "three", 0, of(30, now))
	if got := limit("three"); got != 45 {
		t.Errorf("%g for a shard that begins again, want that of the run before", got)
	}
	if got := limit("four"); got != 30 || len(m.Clients["k"].Runs) != runsKept {
		t.Errorf("%g of %d runs", got, len(m.Clients["k"].Runs))
	}
	if _, _, ok := m.Limit("another", ""); ok {
		t.Error("another client has one")
	}
	delete(m.Clients["k"].Runs, "two")
	if got := limit("three"); got != 30 {
		t.Errorf("%g where nothing else is remembered", got)
	}
	for i := range 20 {
		m.Add(strings.Repeat("k", i+2), "g", 0, of(1, now.Add(-time.Duration(i)*time.Hour)))
	}
	if _, _, ok := m.Limit("k", ""); len(m.Clients) != clientsKept || !ok {
		t.Errorf("%d clients", len(m.Clients))
	}
	m.Add("k", "three", shardsKept, of(1000, now))
	if got := limit(""); got != 30 {
		t.Errorf("%g with a shard beyond all", got)
	}
}

func TestWhatCannotBeTrueIsLeftOutAndCounted(t *testing.T) {
	t.Parallel()
	const good = `"ended":"2026-11-30T03:00:00Z","learned":"2026-11-30T03:00:00Z","limit":10`
	for body, want := range map[string]int{
		`{` + good + `}`: 0,
		`{"ended":"2026-11-30T03:00:00Z","learned":"2026-11-20T03:00:00Z","limit":10}`:  0, // forgotten
		`{"ended":"2026-12-01T20:00:00Z","learned":"2026-11-30T03:00:00Z","limit":10}`:  0,
		`{"ended":"2026-12-03T03:00:00Z","learned":"2026-11-30T03:00:00Z","limit":10}`:  1,
		`{"ended":"2026-11-30T03:00:00Z","learned":"2026-12-03T03:00:00Z","limit":10}`:  1,
		`{"learned":"2026-11-30T03:00:00Z","limit":10}`:                                 1,
		`{"ended":"2026-11-30T03:00:00Z","learned":"2026-11-30T03:00:00Z","limit":0}`:   1,
		`{"ended":"2026-11-30T03:00:00Z","learned":"2026-11-30T03:00:00Z","limit":1e9}`: 1,
		`{` + good + `,"burst":-1}`:                                             1,
		`{` + good + `,"burst":1e300}`:                                          1,
		`{` + good + `,"pause":-1}`:                                             1,
		`{` + good + `,"pause":3600}`:                                           1,
		`{` + good + `,"pause":1e300}`:                                          1,
		`{` + good + `,"course":[[0,10],[5,1e300]]}`:                            1,
		`{` + good + `,"course":[[5,10],[0,10]]}`:                               1,
		`{` + good + `,"course":[[-1,10]]}`:                                     1,
		`{` + good + `,"began":"2026-12-05T03:00:00Z"}`:                         1,
		`{` + good + `,"course":[` + strings.Repeat("[0,10],", 64) + `[0,10]]}`: 1,
	} {
		m, ignored, err := Recall([]byte(`{"clients":{"k":{"runs":{"g":{"shards":{"0":`+body+`}}}}}}`), now)
		if _, _, ok := m.Limit("k", ""); err != nil || ignored != want || ok != (strings.Contains(body, good) && want == 0 || strings.Contains(body, "T20")) {
			t.Errorf("%s: %d ignored, %v, %v", body, ignored, ok, err)
		}
	}
	for _, shard := range []string{"-1", "256"} {
		if m, ignored, err := Recall([]byte(`{"clients":{"k":{"runs":{"g":{"shards":{"`+shard+`":{`+good+`}}}}}}}`), now); ignored != 1 || len(m.Clients) != 0 {
			t.Errorf("shard %s: %d ignored, %v", shard, ignored, err)
		}
	}
}

func TestAKeyTellsClientsApartAndNamesNone(t *testing.T) {
	t.Parallel()
	key := Key("https://os.fino.cloud/api", "client")
	if key != Key("https://os.fino.cloud/api/", "client") {
		t.Error("a slash makes another client")
	}
	for _, other := range [][2]string{{"https://os.fino.cloud/api", "client2"}, {"https://os.fino.cloud", "/api client"}, {"https://os2.fino.cloud/api", "client"}, {"", ""}} {
		if Key(other[0], other[1]) == key {
			t.Errorf("%v is the same", other)
		}
	}
	if len(key) != 32 || strings.Contains(key, "client") {
		t.Errorf("%s", key)
	}
}

// However it is damaged, what is begun with is a limit, or nothing is; and what is
// written again is read again.
func FuzzRecall(f *testing.F) {
	body, err := remembers(shard(0, 600, func(int) float64 { return 10 }), shard(5, 700, func(int) float64 { return 12 })).Write()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"clients":{"k":{"runs":{"g":{"shards":{"0":{"ended":"2026-11-30T03:00:00Z","learned":"2026-11-30T03:00:00Z","limit":1e300}}}}}}}`))
	f.Add([]byte(`{"clients":{"k":{"runs":{"g":null}}}}`))
	f.Add([]byte(`{"clients":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, ignored, err := Recall(body, now)
		if err != nil && (len(m.Clients) > 0 || ignored != 0) {
			t.Fatalf("%v, and yet %+v", err, m)
		}
		for key := range m.Clients {
			k, learned, ok := m.Limit(key, "g")
			if ok && (!k.IsSane() || learned.Sub(now) > ahead || now.Sub(learned) > Keep) {
				t.Fatalf("begins at %+v, learned %v", k, learned)
			}
		}
		m.Add("k", "new", 0, Found{Ended: now, Learned: now, Limit: 5})
		again, err := m.Write()
		if err != nil {
			t.Fatal(err)
		}
		if back, ignored, err := Recall(again, now); err != nil || ignored != 0 || len(back.Clients) != len(m.Clients) {
			t.Fatalf("%s: %d ignored, %v", again, ignored, err)
		}
		if !json.Valid(again) {
			t.Fatalf("%s", again)
		}
	})
}
