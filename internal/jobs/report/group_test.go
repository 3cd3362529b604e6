package report

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

func TestOfAShardThatWasStartedAgainTheNewestReportCounts(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	of := func(shard int, id, outcome string, u UserCounts) *Report {
		return &Report{
			RunID: id, RunGroup: "night", Shard: shard, Shards: 3, Outcome: outcome, Users: u, Requests: 10,
			Started: began, Finished: began.Add(time.Minute), Unreached: max(0, u.Listed-u.Done()),
		}
	}
	g := NewGroup(of(0, "04", Done, UserCounts{Listed: 8, Pulled: 3, Unchanged: 5}))
	g.Add(of(1, "03", DoneWithFailures, UserCounts{Listed: 4, Pulled: 3, Failed: 1}))
	g.Add(of(0, "02", Stopped, UserCounts{Listed: 8, Pulled: 5})) // what the first of them has been again
	if g.Add(&Report{RunGroup: "the night before"}) {
		t.Error("a report of another group was added")
	}
	want := UserCounts{Listed: 12, Pulled: 6, Unchanged: 5, Failed: 1}
	if diff := cmp.Diff(want, g.Users); diff != "" || g.Outcome != DoneWithFailures || g.Unreached != 0 || g.Requests != 30 || g.FirstRun != "02" {
		t.Errorf("%s, %d unreached, %d requests, since %s: %s", g.Outcome, g.Unreached, g.Requests, g.FirstRun, diff)
	}
	if g.Reported != 2 || g.Shards != 3 || g.Reports != 3 {
		t.Errorf("%d of %d shards in %d reports", g.Reported, g.Shards, g.Reports)
	}
}

func TestTheWorstOutcomeOfTheShardsIsTheirs(t *testing.T) {
	t.Parallel()
	for i, better := range worsening {
		for _, worse := range worsening[i:] {
			for _, order := range [][]string{{better, worse}, {worse, better}} {
				g := NewGroup(&Report{Shard: 0, Outcome: order[0], Error: order[0]})
				g.Add(&Report{Shard: 1, Outcome: order[1], Error: order[1]})
				if g.Outcome != worse || g.Error != worse {
					t.Errorf("%v: %s, with %s", order, g.Outcome, g.Error)
				}
			}
		}
	}
}

// A report as it was written before users were named, and losses counted.
func TestReportsOfEarlierVersionsSayWhatTheyCan(t *testing.T) {
	t.Parallel()
	var r Report
	err := json.Unmarshal([]byte(`{"run_id":"01","outcome":"stopped","users":{"listed":10,"pulled":4},
		"failures":[{"user_id":"u","stream":"contracts","class":"server"}]}`), &r)
	if err != nil || r.Left() != 6 || r.CameThrough() {
		t.Errorf("%v: %d left", err, r.Left())
	}
	want := Failing{Users: []FailingUser{{UserID: "u", Streams: []FailingStream{{Stream: config.StreamContracts, Class: finoos.Server}}}}}
	if diff := cmp.Diff(want, ByUser(r.Failures, 5)); diff != "" {
		t.Error(diff)
	}
}

func TestNamesAreBoundedHoweverManyFail(t *testing.T) {
	t.Parallel()
	k := NewKeeper(10, LongestFailing)
	for i := range 10_000 {
		k.Add(FailingUser{UserID: fmt.Sprintf("%05d", (i*7919)%10_000), Streams: []FailingStream{{Nights: 1 + i%3}}})
		if cap(k.kept) > 64 {
			t.Fatalf("room for %d is held", cap(k.kept))
		}
	}
	kept, more := k.Sorted()
	if len(kept) != 10 || more != 9_990 {
		t.Fatalf("%d kept, %d more", len(kept), more)
	}
	for i, u := range kept {
		if u.nights() != 3 || i > 0 && u.UserID <= kept[i-1].UserID {
			t.Errorf("%d: %+v", i, u)
		}
	}
	if _, more := NewKeeper(0, LongestFailing).Sorted(); more != 0 {
		t.Errorf("%d more of none", more)
	}
}
