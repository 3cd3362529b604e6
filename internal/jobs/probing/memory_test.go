package probing

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

// nights adds one run a night, of as many shards, and tells the mode in which each is.
func nights(m *Memory, from, n, shards int, run func(night int, mode string) Run) (modes []string) {
	for night := from; night < from+n; night++ {
		at := now.Add(time.Duration(night) * 24 * time.Hour)
		m.Sane(at)
		mode := m.Mode(config.ProbeOne, four).Mode
		modes = append(modes, mode)
		for shard := range shards {
			r := run(night, mode)
			r.Began, r.Group, r.Shards, r.All = at, fmt.Sprint("group", night), shards, mode == config.ProbeEach
			m.Add(fmt.Sprintf("run%d-%d", night, shard), r, four, at.Add(time.Hour))
		}
	}
	return modes
}

var four = []finoos.Service{finoos.Banking, finoos.CategorizationService, finoos.ContractsService, finoos.AccountHistoryService}

func empty() *Memory { return &Memory{Runs: map[string]Run{}} }

func TestTheOneIsNotBelievedOnceItMisleadsMoreThanAFew(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		shards          int
		audited, misled int64 // a night and shard
		want            bool
	}{
		"nobody":                      {1, 50, 0, false},
		"two of few in all":           {1, 0, 0, false},
		"one a night, of 50":          {1, 50, 1, true},
		"one a night, of 1,000":       {1, 1000, 1, false},
		"six a night, of 1,000":       {1, 1000, 6, true},
		"of shards, as one":           {4, 250, 1, false},
		"of shards, as one, too many": {4, 250, 2, true},
	} {
		m := empty()
		modes := nights(m, 0, 14, c.shards, func(int, string) Run { return Run{Audited: c.audited, Misled: c.misled} })
		if got := strings.Contains(strings.Join(modes, " "), config.ProbeEach); got != c.want {
			t.Errorf("%s: %v", what, modes)
		}
	}
	m := empty()
	two := nights(m, 0, 14, 1, func(night int, _ string) Run { return Run{Audited: 1, Misled: int64(1 - min(night/2, 1))} })
	if strings.Contains(strings.Join(two, " "), config.ProbeEach) {
		t.Errorf("two are no three: %v", two)
	}
}

func TestAFallbackLastsAsLongAsTheOneWouldMisleadAndTwoWeeks(t *testing.T) {
	t.Parallel()
	m := empty()
	misled := func(until int) func(int, string) Run {
		return func(night int, mode string) Run {
			r := Run{Audited: 1000}
			if mode == config.ProbeOne {
				r.Audited = 70
			}
			if night < until {
				r.Misled = 10
			}
			return r
		}
	}
	modes := nights(m, 0, 60, 1, misled(20))
	first, last := 0, 0
	for night, mode := range modes {
		if mode == config.ProbeEach {
			if first == 0 {
				first = night
			}
			last = night
		}
	}
	// Ten of a thousand a night are as many as had misled it: they count by users, not
	// by questions.
	if first != 1 || last < 30 || last > 34 {
		t.Errorf("not believed from night %d to night %d", first, last)
	}
	for night := first; night <= last; night++ {
		if modes[night] != config.ProbeEach {
			t.Errorf("believed on night %d", night)
		}
	}
}

func TestAutoWaitsForNinetyNineOfAHundredOrForAll(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		runs []Run
		want string
	}{
		"nothing is known":        {nil, config.ProbeEach},
		"all of many, cut":        {[]Run{{Users: 100, Equal: 100, Shards: 1}}, config.ProbeOne},
		"99 of 100":               {[]Run{{Users: 100, Equal: 99, Shards: 1}}, config.ProbeOne},
		"98 of 100":               {[]Run{{Users: 100, Equal: 98, Shards: 1, Whole: true}}, config.ProbeEach},
		"all of a few":            {[]Run{{Users: 7, Equal: 7, Shards: 1, Whole: true}}, config.ProbeOne},
		"all of a few, cut":       {[]Run{{Users: 7, Equal: 7, Shards: 1}}, config.ProbeEach},
		"of a few, another shard": {[]Run{{Users: 7, Equal: 7, Shards: 2, Whole: true}}, config.ProbeEach},
		"of both":                 {[]Run{{Users: 7, Equal: 7, Shards: 2, Whole: true}, {Users: 3, Equal: 3, Shards: 2, Whole: true}}, config.ProbeOne},
		"of both, one has others": {[]Run{{Users: 7, Equal: 7, Shards: 2, Whole: true}, {Users: 3, Equal: 2, Shards: 2, Whole: true}}, config.ProbeEach},
	} {
		m := empty()
		for i, r := range c.runs {
			r.Began, r.Group = now, "g"
			m.Add(strconv.Itoa(i), r, four, now.Add(time.Hour))
		}
		if p := m.Mode(config.ProbeAuto, four); p.Mode != c.want || p.Why == "" || p.Proving != (c.want == config.ProbeOne) {
			t.Errorf("%s: %+v", what, p)
		}
	}
	m := empty()
	m.Add("a", Run{Users: 100, Equal: 100, Shards: 1, Began: now, Group: "a"}, four, now)
	m.Add("b", Run{Users: 100, Equal: 50, Shards: 1, Began: now.Add(time.Hour), Group: "b"}, four, now.Add(time.Hour))
	if p := m.Mode(config.ProbeAuto, four); p.Mode != config.ProbeOne {
		t.Error("a night on which many are behind is one of questions to all, by what is owed")
	}
	if p := m.Mode(config.ProbeAuto, four[:1]); p.Mode != config.ProbeEach {
		t.Error("there is but one service")
	}
	if p := m.Mode(config.ProbeAuto, four[:3]); p.Mode != config.ProbeEach {
		t.Error("nothing is known of these services")
	}
	m.Add("c", Run{Users: 10, Equal: 1, Shards: 1, Began: now.Add(2 * time.Hour), Group: "c"}, four[:3], now.Add(2*time.Hour))
	if p := m.Mode(config.ProbeAuto, four[:3]); p.Mode != config.ProbeEach || len(m.Runs) != 1 {
		t.Errorf("what was known of other services holds for these: %+v, %v", p, m.Runs)
	}
}

func TestThatOneTellsOfTheOthersIsProvenByThoseWhoMoved(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		users         int64
		moved, misled []int64 // by run
		want          bool
	}{
		"nobody has moved":          {1000, []int64{0, 0, 0}, []int64{0, 0, 0}, false},
		"nineteen have":             {1000, []int64{10, 9}, []int64{0, 0}, false},
		"twenty have":               {1000, []int64{10, 10}, []int64{0, 0}, true},
		"one of a few":              {6, []int64{1}, []int64{0}, true},
		"a tenth of some":           {120, []int64{12}, []int64{0}, false},
		"more than that":            {120, []int64{13}, []int64{0}, true},
		"one in twenty was hidden":  {1000, []int64{19}, []int64{1}, false},
		"one in a hundred is noise": {1000, []int64{99}, []int64{1}, true},
	} {
		m := empty()
		for i := range c.moved {
			at := now.Add(time.Duration(i) * 24 * time.Hour)
			m.Add(strconv.Itoa(i), Run{Users: c.users, Equal: c.users, Audited: c.users, Moved: c.moved[i], Misled: c.misled[i], Shards: 1, Whole: true, Began: at, Group: strconv.Itoa(i)}, four, at)
		}
		if p := m.Mode(config.ProbeAuto, four); p.Proving == c.want || p.Mode != config.ProbeOne {
			t.Errorf("%s: %+v", what, p)
		}
	}
}

func TestWhatIsOldOrOfAWrongClockIsForgotten(t *testing.T) {
	t.Parallel()
	m := empty()
	m.Runs["old"] = Run{Began: now.Add(-window - time.Hour), Audited: 10, Misled: 10}
	m.Runs["ahead"] = Run{Began: now.Add(48 * time.Hour), Audited: 10, Misled: 10}
	m.Shown, m.Fallback = now.Add(9000*time.Hour), now.Add(9000*time.Hour)
	m.Sane(now)
	if len(m.Runs) != 0 || !m.Shown.IsZero() || m.Fallback.After(now) {
		t.Errorf("%+v", m)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := empty()
	for i := range mostRuns + 50 {
		m.Add(strconv.Itoa(i), Run{Began: now.Add(time.Duration(i) * time.Second), Group: strconv.Itoa(i)}, four, now.Add(time.Duration(i)*time.Second))
	}
	if _, newest := m.Runs[strconv.Itoa(mostRuns+49)]; len(m.Runs) != mostRuns || !newest {
		t.Errorf("%d runs", len(m.Runs))
	}
}

func FuzzRecall(f *testing.F) {
	m := empty()
	m.Add("a", Run{Users: 100, Equal: 100, Audited: 7, Misled: 3, Began: now, Group: "g", Shards: 1}, four, now)
	body, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"runs":{"a":{"users":-1}}}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Recall(body)
		if err != nil && len(m.Runs) > 0 {
			t.Error("half of it was read")
		}
		m.Sane(now)
		m.Add("x", Run{Users: 1, Equal: 1, Began: now, Group: "g", Shards: 1, Whole: true}, four, now)
		for _, configured := range []string{config.ProbeAuto, config.ProbeOne, config.ProbeEach, config.ProbeBanking} {
			if p := m.Mode(configured, four); p.Mode == config.ProbeAuto || p.Mode == "" || p.Why == "" {
				t.Errorf("%s: %+v", configured, p)
			}
		}
		if _, err := json.Marshal(m); err != nil {
			t.Error(err)
		}
	})
}
