package probing

import (
	"slices"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink/cursors"
)

var now = time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)

var all = []config.Stream{
	config.StreamUsers, config.StreamBankLogins, config.StreamAccounts, config.StreamTransactions, config.StreamCategorization,
	config.StreamContracts, config.StreamAccountHistory,
}

// settled is a user of whom every stream was pulled of one analysis, that began long ago.
func settled(change ...func(map[config.Stream]*cursors.Cursor)) *User {
	at := now.Add(-50 * time.Hour)
	of := map[config.Stream]*cursors.Cursor{}
	for _, s := range all {
		of[s] = &cursors.Cursor{UserID: "u", Stream: string(s), CorrelationID: "x", CorrelationAt: at, PulledAt: at.Add(time.Hour), FullAt: at, Whole: true}
	}
	for _, c := range change {
		c(of)
	}
	u := &User{Streams: all, Cursors: map[config.Stream]cursors.Cursor{}, Refresh: func(c cursors.Cursor) bool { return !c.Whole }}
	for s, c := range of {
		u.Cursors[s] = *c
	}
	return u
}

func TestWhoIsOwedSomethingIsAskedOfAll(t *testing.T) {
	t.Parallel()
	one := func(s config.Stream, f func(*cursors.Cursor)) func(map[config.Stream]*cursors.Cursor) {
		return func(of map[config.Stream]*cursors.Cursor) {
			if of[s] == nil {
				of[s] = &cursors.Cursor{}
			}
			f(of[s])
		}
	}
	for what, u := range map[string]*User{
		"nobody knows the user": {Streams: all, Refresh: func(cursors.Cursor) bool { return false }},
		"a stream is new":       settled(func(of map[config.Stream]*cursors.Cursor) { delete(of, config.StreamContracts) }),
		"a failure":             settled(one(config.StreamAccounts, func(c *cursors.Cursor) { c.Failures = 1 })),
		"no analysis":           settled(one(config.StreamContracts, func(c *cursors.Cursor) { c.ErrorClass = pull.MarkNoAnalysis })),
		"a backfill's mark":     settled(one(config.StreamTransactions, func(c *cursors.Cursor) { c.Backfilled = true })),
		"only such a mark":      settled(one(config.StreamTransactions, func(c *cursors.Cursor) { *c = cursors.Cursor{Backfilled: true, MarkOnly: true} })),
		"taken back":            settled(one(config.StreamAccountHistory, func(c *cursors.Cursor) { c.Erased = true })),
		"a refresh":             settled(one(config.StreamCategorization, func(c *cursors.Cursor) { c.Whole = false })),
		"a lost analysis":       settled(one(config.StreamLost, func(c *cursors.Cursor) { *c = cursors.Cursor{UserID: "u"} })),
		"a service behind":      settled(one(config.StreamContracts, func(c *cursors.Cursor) { c.CorrelationID, c.CorrelationAt = "w", c.CorrelationAt.Add(-time.Hour) })),
		"another behind":        settled(one(config.StreamAccountHistory, func(c *cursors.Cursor) { c.CorrelationID = "w" })),
		"half of a service":     settled(one(config.StreamAccounts, func(c *cursors.Cursor) { c.CorrelationID = "w" })),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if c := Choose(u); c.One != "" || !c.Owed {
				t.Errorf("%+v", c)
			}
		})
	}
	if c := Choose(settled()); c.One != finoos.ContractsService || c.Owed || c.Known[finoos.Banking].ID != "x" {
		t.Errorf("nothing is owed, but %+v", c)
	}
}

func TestTheLastServiceThatIsBookedUpAndOfTheNewestAnalysisIsAsked(t *testing.T) {
	t.Parallel()
	down := func(u *User, services ...finoos.Service) *User {
		u.Down = func(s finoos.Service) bool { return slices.Contains(services, s) }
		return u
	}
	notBooked := func(of map[config.Stream]*cursors.Cursor) {
		*of[config.StreamContracts] = cursors.Cursor{UserID: "u", Stream: "contracts", ErrorClass: pull.MarkNotBooked, ExtractedAt: now}
	}
	waived := func(of map[config.Stream]*cursors.Cursor) {
		of[config.StreamContracts].CorrelationID = "w"
		of[config.StreamContracts].CorrelationAt = now.Add(-90 * time.Hour)
		of[config.StreamProbe] = &cursors.Cursor{State: []byte(`{"contracts":"x"}`)}
	}
	weekly := settled(notBooked)
	weekly.Asks = func(s config.Stream) bool { return s == config.StreamContracts }
	for what, c := range map[string]struct {
		u    *User
		want finoos.Service
	}{
		"all are up":                     {settled(), finoos.ContractsService},
		"the last is down":               {down(settled(), finoos.ContractsService), finoos.AccountHistoryService},
		"the last two are":               {down(settled(), finoos.ContractsService, finoos.AccountHistoryService), finoos.CategorizationService},
		"all are down":                   {down(settled(), finoos.ContractsService, finoos.AccountHistoryService, finoos.CategorizationService, finoos.Banking), ""},
		"the last is not booked":         {settled(notBooked), finoos.AccountHistoryService},
		"it is asked now and then":       {weekly, ""},
		"the last never finishes":        {settled(waived), finoos.AccountHistoryService},
		"and the next is down":           {down(settled(waived), finoos.AccountHistoryService), finoos.CategorizationService},
		"all but one that never does":    {down(settled(waived), finoos.AccountHistoryService, finoos.CategorizationService, finoos.Banking), ""},
		"one that is not waited for yet": {settled(waived, func(of map[config.Stream]*cursors.Cursor) { delete(of, config.StreamProbe) }), ""},
		"waived for another analysis": {settled(waived, func(of map[config.Stream]*cursors.Cursor) {
			of[config.StreamProbe].State = []byte(`{"contracts":"v"}`)
		}), ""},
		"what is remembered is damaged": {settled(waived, func(of map[config.Stream]*cursors.Cursor) { of[config.StreamProbe].State = []byte(`{`) }), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if got := Choose(c.u); got.One != c.want {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
}

func TestAServiceIsWaitedForADayAndNotLonger(t *testing.T) {
	t.Parallel()
	behind := func(began time.Time) *User {
		return settled(func(of map[config.Stream]*cursors.Cursor) {
			for s, c := range of {
				if s != config.StreamContracts {
					c.CorrelationID, c.CorrelationAt, c.PulledAt = "y", began, now.Add(-25*time.Hour)
				}
			}
		})
	}
	same := map[finoos.Service]finoos.Correlation{finoos.ContractsService: {ID: "x"}, finoos.Banking: {ID: "y"}}
	for what, c := range map[string]struct {
		began time.Time
		shown map[finoos.Service]finoos.Correlation
		want  string
	}{
		"after 23 hours":             {now.Add(-23 * time.Hour), same, ""},
		"after a day":                {now.Add(-24 * time.Hour), same, `{"contracts":"y"}`},
		"without a time, by pulls":   {time.Time{}, same, `{"contracts":"y"}`},
		"of a time to come, by them": {now.Add(time.Hour), same, `{"contracts":"y"}`},
		"who was not asked":          {now.Add(-30 * time.Hour), map[finoos.Service]finoos.Correlation{finoos.Banking: {ID: "y"}}, ""},
		"that has another":           {now.Add(-30 * time.Hour), map[finoos.Service]finoos.Correlation{finoos.ContractsService: {ID: "z"}}, ""},
	} {
		u := behind(c.began)
		state, moved := Waive(u, c.shown, now)
		if string(state) != c.want || moved != (c.want != "") {
			t.Errorf("%s: %s, %v", what, state, moved)
		}
		if !moved {
			continue
		}
		u.Cursors[config.StreamProbe] = cursors.Cursor{State: state}
		if c := Choose(u); c.One != finoos.AccountHistoryService {
			t.Errorf("%s: then %+v", what, c)
		}
		if _, again := Waive(u, c.shown, now); again {
			t.Errorf("%s: said twice", what)
		}
	}
}

func TestMisledIsWhereAnotherMovedAnHourAgo(t *testing.T) {
	t.Parallel()
	c := Choose(settled())
	ago := func(id string, h time.Duration) finoos.Correlation {
		return finoos.Correlation{ID: id, At: now.Add(-h)}
	}
	for what, tt := range map[string]struct {
		shown           map[finoos.Service]finoos.Correlation
		misled, audited bool
	}{
		"nothing has moved":           {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: ago("x", 50*time.Hour)}, false, true},
		"another, two hours ago":      {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: ago("y", 2*time.Hour)}, true, true},
		"another, just now":           {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: ago("y", time.Hour)}, false, true},
		"another, nobody knows when":  {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: {ID: "y"}}, true, true},
		"another has none any more":   {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: {}}, false, true},
		"another, by a clock ahead":   {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: ago("y", -26*time.Hour)}, true, true},
		"another, an older one":       {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), finoos.Banking: ago("y", 900*time.Hour)}, false, true},
		"the one has, too":            {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("y", 2*time.Hour), finoos.Banking: ago("y", 2*time.Hour)}, false, true},
		"the one has none any more":   {map[finoos.Service]finoos.Correlation{finoos.ContractsService: {}, finoos.Banking: ago("y", 2*time.Hour)}, false, false},
		"the one could not be asked":  {map[finoos.Service]finoos.Correlation{finoos.Banking: ago("y", 2*time.Hour)}, false, false},
		"what it differs from is new": {map[finoos.Service]finoos.Correlation{finoos.ContractsService: ago("x", 50*time.Hour), "cockpits": ago("y", 2*time.Hour)}, false, true},
	} {
		if misled, audited := c.Misled(tt.shown, now); misled != tt.misled || audited != tt.audited {
			t.Errorf("%s: misled %v, audited %v", what, misled, audited)
		}
	}
}

func TestEqualIsOfUsersWithTwoServicesWhateverElseIsOwed(t *testing.T) {
	t.Parallel()
	few := settled()
	few.Streams = []config.Stream{config.StreamUsers, config.StreamAccounts, config.StreamTransactions}
	for what, c := range map[string]struct {
		u         *User
		equal, ok bool
	}{
		"one analysis": {settled(), true, true},
		"two":          {settled(func(of map[config.Stream]*cursors.Cursor) { of[config.StreamContracts].CorrelationID = "y" }), false, true},
		"a failure":    {settled(func(of map[config.Stream]*cursors.Cursor) { of[config.StreamContracts].Failures = 1 }), true, true},
		"one service":  {few, false, false},
	} {
		if equal, ok := c.u.Equal(); equal != c.equal || ok != c.ok {
			t.Errorf("%s: %v, %v", what, equal, ok)
		}
	}
}
