package probing

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/config"
)

// nights adds one run a night, of as many shards, and tells the mode in which each is.
func nights(m *Memory, from, n, shards int, run func(night int, mode string) Run) (modes []string) {
	for night := from; night < from+n; night++ {
		at := now.Add(time.Duration(night) * 24 * time.Hour)
		m.Sane(at)
		mode, _ := m.Mode(config.ProbeOne, 4)
		modes = append(modes, mode)
		for shard := range shards {
			r := run(night, mode)
			r.Began, r.Group, r.Shards, r.All = at, fmt.Sprint("group", night), shards, mode == config.ProbeEach
			m.Add(fmt.Sprintf("run%d-%d", night, shard), r, at.Add(time.Hour))
		}
	}
	return modes
}

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
		runs  []Run
		blind bool // it is the first look at the users
		want  string
	}{
		"nothing is known":        {nil, false, config.ProbeEach},
		"at the first look":       {[]Run{{Users: 200, Equal: 200, Shards: 1, Whole: true}}, true, config.ProbeEach},
		"at one at half of them":  {[]Run{{Users: 200, Equal: 200, Audited: 100, Shards: 1, Whole: true}}, true, config.ProbeOne},
		"one would have misled":   {[]Run{{Users: 200, Equal: 200, Audited: 200, Misled: 2, Shards: 1, Whole: true}}, true, config.ProbeEach},
		"one of a few would have": {[]Run{{Users: 7, Equal: 7, Audited: 7, Misled: 1, Shards: 1, Whole: true}}, true, config.ProbeEach},
		"all of many, cut":        {[]Run{{Users: 100, Equal: 100, Shards: 1}}, false, config.ProbeOne},
		"99 of 100":               {[]Run{{Users: 100, Equal: 99, Shards: 1}}, false, config.ProbeOne},
		"98 of 100":               {[]Run{{Users: 100, Equal: 98, Shards: 1, Whole: true}}, false, config.ProbeEach},
		"all of a few":            {[]Run{{Users: 7, Equal: 7, Shards: 1, Whole: true}}, false, config.ProbeOne},
		"all of a few, cut":       {[]Run{{Users: 7, Equal: 7, Shards: 1}}, false, config.ProbeEach},
		"of a few, another shard": {[]Run{{Users: 7, Equal: 7, Shards: 2, Whole: true}}, false, config.ProbeEach},
		"of both":                 {[]Run{{Users: 7, Equal: 7, Shards: 2, Whole: true}, {Users: 3, Equal: 3, Shards: 2, Whole: true}}, false, config.ProbeOne},
		"of both, one has others": {[]Run{{Users: 7, Equal: 7, Shards: 2, Whole: true}, {Users: 3, Equal: 2, Shards: 2, Whole: true}}, false, config.ProbeEach},
	} {
		m := empty()
		for i, r := range c.runs {
			r.Began, r.Group = now, "g"
			if !c.blind {
				r.Audited = r.Users
			}
			m.Add(strconv.Itoa(i), r, now.Add(time.Hour))
		}
		if mode, why := m.Mode(config.ProbeAuto, 4); mode != c.want || why == "" {
			t.Errorf("%s: %s, %s", what, mode, why)
		}
	}
	m := empty()
	m.Add("a", Run{Users: 100, Equal: 100, Audited: 100, Shards: 1, Began: now, Group: "a"}, now)
	m.Add("b", Run{Users: 100, Equal: 50, Shards: 1, Began: now.Add(time.Hour), Group: "b"}, now.Add(time.Hour))
	if mode, _ := m.Mode(config.ProbeAuto, 4); mode != config.ProbeOne {
		t.Error("a night on which many are behind is one of questions to all, by what is owed")
	}
	if mode, _ := m.Mode(config.ProbeAuto, 1); mode != config.ProbeEach {
		t.Error("there is but one service")
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
		m.Add(strconv.Itoa(i), Run{Began: now.Add(time.Duration(i) * time.Second), Group: strconv.Itoa(i)}, now.Add(time.Duration(i)*time.Second))
	}
	if _, newest := m.Runs[strconv.Itoa(mostRuns+49)]; len(m.Runs) != mostRuns || !newest {
		t.Errorf("%d runs", len(m.Runs))
	}
}

func FuzzRecall(f *testing.F) {
	m := empty()
	m.Add("a", Run{Users: 100, Equal: 100, Audited: 7, Misled: 3, Began: now, Group: "g", Shards: 1}, now)
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
		m.Add("x", Run{Users: 1, Equal: 1, Began: now, Group: "g", Shards: 1, Whole: true}, now)
		for _, configured := range []string{config.ProbeAuto, config.ProbeOne, config.ProbeEach, config.ProbeBanking} {
			if mode, why := m.Mode(configured, 4); mode == config.ProbeAuto || mode == "" || why == "" {
				t.Errorf("%s: %q, %q", configured, mode, why)
			}
		}
		if _, err := json.Marshal(m); err != nil {
			t.Error(err)
		}
	})
}
