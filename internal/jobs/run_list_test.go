package jobs

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/sink/cursors"
)

// pageAnswer is what a page of the list of users is answered with: after a time,
// or never.
type pageAnswer struct {
	status int
	body   string
	after  time.Duration
	never  bool
}

// onPage answers one page of the list of users in another way; "" is the first.
func (b *bank) onPage(page string, answer pageAnswer) http.RoundTripper {
	return via{nil, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/users" || r.URL.Query().Get("page") != page {
			return b.Transport().RoundTrip(r)
		}
		if answer.never {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		time.Sleep(answer.after)
		return &http.Response{StatusCode: answer.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer.body)), Request: r}, nil
	}}
}

func TestARecordOnTheListThatIsNoUserIsSaidAndCostsNobodyElse(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"no_id", "null_id", "long_id", "control_id", "object_id", "null_record", "text_record"} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(15)
			o.PageSize, o.Readings = 5, sandbox.Readings{OddUsers: odd}
			inBubble(t, o, func(b *bank) {
				var log bytes.Buffer
				options := b.options(b.config(few))
				options.Logger = slog.New(slog.NewTextHandler(&log, nil))
				rep, err := b.try(b.t.Context(), options)
				if err != nil || rep.Users.Pulled != 15 || rep.List.Aside != 3 || rep.List.Named != 15 || !rep.List.Whole {
					b.t.Errorf("users %+v, list %+v", rep.Users, rep.List)
				}
				for i, a := range rep.List.AsideFirst {
					if a.Page != i+1 || a.Record != 2 || a.Why == "" {
						b.t.Errorf("put aside: %+v", a)
					}
				}
				if !strings.Contains(log.String(), "records of the list of users are no users and were put aside\" job=nightly run_id="+rep.RunID+" records=3") || !strings.Contains(log.String(), "page 1, record 2") {
					b.t.Errorf("says %s", log.String())
				}
				if text := log.String(); strings.Contains(text, "Niemand") || strings.Contains(text, "LLLL") || strings.Contains(text, "forged") || strings.Contains(text, "red") && odd == "control_id" && strings.Contains(text, "[31m") {
					b.t.Errorf("shows what the record holds: %.500s", text)
				}
			})
		})
	}
}

func TestAPageThatCannotBeReadIsSaidAndCostsItsOwnUsersAlone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]pageAnswer{"500": {status: 500}, "a web page": {status: 200, body: "<html>"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(15)
			o.PageSize = 5
			inBubble(t, o, func(b *bank) {
				b.transport = b.onPage("2", answer)
				rep, err := b.stops(b.t.Context(), ReasonPartial, b.options(b.config(few)))
				if rep.Users.Pulled != 10 || rep.List.Whole || rep.List.Named != 10 || !strings.Contains(err.Error(), "not whole") || !strings.Contains(err.Error(), "page 2") {
					b.t.Errorf("first night: users %+v, list %+v: %v", rep.Users, rep.List, err)
				}
				b.transport = b.Transport()
				if rep := b.run(few); rep.Users.Pulled != 5 || rep.Users.Unchanged != 10 || !rep.List.Whole {
					b.t.Errorf("without it: users %+v, list %+v", rep.Users, rep.List)
				}
				b.transport = b.onPage("2", answer)
				rep, _ = b.stops(b.t.Context(), ReasonPartial, b.options(b.config(few)))
				if rep.Users.Unchanged != 15 || rep.Users.Gone != 0 {
					b.t.Errorf("known users are asked for: %+v", rep.Users)
				}
			})
		})
	}
}

func TestAListWhoseFirstPageCannotBeReadEndsTheRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer pageAnswer
		want   Reason
	}{
		"500": {pageAnswer{status: 500}, ReasonAPI}, "a web page": {pageAnswer{status: 200, body: "<html>"}, ReasonAPI}, "forbidden": {pageAnswer{status: 403}, ReasonCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(5), func(b *bank) {
				b.transport = b.onPage("", test.answer)
				if rep, _ := b.stops(b.t.Context(), test.want, b.options(b.config(few))); rep.Users.Listed != 0 || rep.List != nil {
					b.t.Errorf("%+v, %+v", rep.Users, rep.List)
				}
			})
		})
	}
}

func TestAListThatNamesNobodyIsSaidWithTheTenant(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		cfg := b.config(few)
		cfg.FinoOS.Tenant = "sandbocks"
		_, err := b.stops(b.t.Context(), ReasonPartial, b.options(cfg))
		if !strings.Contains(err.Error(), `the tenant "sandbocks"`) || !strings.Contains(err.Error(), "finoos.tenant") {
			b.t.Errorf("says %q", err)
		}
	})
}

// A wrong tenant may be refused as well, by an API that has granted the token.
func TestAListThatIsRefusedIsSaidWithTheTenant(t *testing.T) {
	t.Parallel()
	for status, named := range map[int]bool{http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true, http.StatusBadRequest: false} {
		inBubble(t, banktest.Still(3), func(b *bank) {
			options := b.options(b.config(few))
			options.Config.FinoOS.Tenant = "sandbocks"
			options.Transport = b.onPage("", pageAnswer{status: status, body: `{"type":"no","message":"no"}`})
			_, err := b.try(b.t.Context(), options)
			if err == nil || strings.Contains(err.Error(), `the tenant "sandbocks": check finoos.tenant`) != named {
				b.t.Errorf("%d: %v", status, err)
			}
		})
	}
}

func TestAFieldOfAUserThatCannotBeReadIsCounted(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(2), func(b *bank) {
		users := `{"context":{"page":1,"totalPages":1,"total":2},"users":[{"id":"` + b.UserID(0) + `","createdAt":1705928927},{"id":"` + b.UserID(1) + `","name":{"first":"A"},"duplicates":"x"}]}`
		b.transport = b.onPage("", pageAnswer{status: 200, body: users})
		if rep := b.run(few); rep.Users.Pulled != 2 || rep.Issues["unreadable"].Count != 3 {
			b.t.Errorf("users %+v, issues %+v", rep.Users, rep.Issues)
		}
	})
}

func TestAListMayTakeAsLongAsNewUsersCome(t *testing.T) {
	t.Parallel()
	o := banktest.Still(20)
	o.PageSize, o.Faults.Latency, o.Faults.NoContext = 1, time.Second, true
	inBubble(t, o, func(b *bank) {
		began := time.Now()
		rep := b.run("list_timeout: 5s", few)
		if took := time.Since(began); rep.Users.Pulled != 20 || took < 20*time.Second || rep.List.Seconds < 20 {
			b.t.Errorf("users %+v after %v, list %+v", rep.Users, took, rep.List)
		}
	})
}

func TestAListThatBringsNobodyNewEndsTheRun(t *testing.T) {
	t.Parallel()
	o := banktest.Still(20)
	o.PageSize = 5
	inBubble(t, o, func(b *bank) {
		b.transport = b.onPage("3", pageAnswer{never: true})
		began := time.Now()
		_, err := b.stops(b.t.Context(), ReasonAPI, b.options(b.config("list_timeout: 20s")))
		if took := time.Since(began); !strings.Contains(err.Error(), "list_timeout 20s") || took > 30*time.Second {
			b.t.Errorf("says %q after %v", err, took)
		}
	})
}

// slowList is a list of which each page takes so long.
func (b *bank) slowList(each time.Duration) http.RoundTripper {
	return via{nil, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/users" {
			time.Sleep(each)
		}
		return b.Transport().RoundTrip(r)
	}}
}

func TestShardsWaitForAListThatGrows(t *testing.T) {
	t.Parallel()
	o := banktest.Still(40)
	o.PageSize, o.Faults.NoContext = 1, true
	inBubble(t, o, func(b *bank) {
		b.transport = b.slowList(9700 * time.Millisecond) // six and a half minutes in all
		reports := b.shards("night-1", 3, 0, 1, 2)
		var pulled int64
		for i, rep := range reports {
			pulled += rep.Users.Pulled
			if rep.List.Named != 40 || !rep.List.Whole || rep.List.Pages != reports[0].List.Pages || (rep.List.Seconds > 0) != (i == 0) {
				b.t.Errorf("shard %d: list %+v", i, rep.List)
			}
		}
		if n := b.listedPages(); pulled != 40 || n > 43 {
			b.t.Errorf("%d users after %d pages: somebody has listed for itself", pulled, n)
		}
	})
}

func TestShardsListForThemselvesOnceShard0HasEndedWithoutAList(t *testing.T) {
	t.Parallel()
	o := banktest.Still(12)
	inBubble(t, o, func(b *bank) {
		broken := b.onPage("", pageAnswer{status: 403, after: 5 * time.Second})
		var all sync.WaitGroup
		began := time.Now()
		for i, transport := range []http.RoundTripper{broken, b.Transport()} {
			o := b.options(b.config("list_timeout: 10m", few))
			o.Shard, o.RunGroup, o.Transport = cursors.Shard{Index: i, Count: 2}, "night-1", transport
			all.Go(func() {
				rep, err := Run(b.t.Context(), o)
				if took := time.Since(began); i == 1 && (err != nil || rep.List.Named != 12 || took > time.Minute) {
					b.t.Errorf("shard %s: %v, %+v after %v", strconv.Itoa(i), err, rep.List, took)
				}
			})
		}
		all.Wait()
	})
}
