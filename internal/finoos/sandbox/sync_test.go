package sandbox

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// certain has banks that never refuse by themselves.
var certain = SyncOdds{Deprecated: -1, Credentials: -1, Blocked: -1, SCA: -1, Lost: -1}

func (c *client) sync(index int, body string) (int, []byte) {
	c.Helper()
	return c.do(http.MethodPost, "/users/"+c.s.UserID(index)+"/banking/sync", body, "User-IP", "203.0.113.7")
}

func TestEverySyncOutcomeCanBeHad(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1, Sync: certain, Nightly: Odds{Gone: -1}})
	for kind, want := range map[Kind]struct {
		status int
		kind   string
	}{
		SyncSucceeds: {204, ""}, Deprecated: {409, "interface_deprecated"}, Credentials: {422, "credentials_required"},
		Blocked: {423, "blocked"}, DailyLimit: {429, "daily_limit"}, RateLimited: {429, "rate_limited"}, SCARequired: {451, ""},
		Rejected: {400, "invalid_request"}, Forbidden: {403, "forbidden"}, NotFound: {404, "not_found"},
	} {
		c.s.Night() // or the daily limit is reached
		c.fault(userFaults("1", "synchronize", kind))
		status, body := c.sync(1, "")
		var got struct {
			Type           string `json:"type"`
			SessionID      string `json:"sessionId"`
			UserIdentifier string `json:"userIdentifier"`
			RedirectURL    string `json:"redirectURL"`
		}
		if len(body) > 0 && json.Unmarshal(body, &got) != nil {
			t.Errorf("%s: %s", kind, body)
		}
		if status != want.status || got.Type != want.kind {
			t.Errorf("%s: %d %s", kind, status, body)
		}
		if status == 451 && (got.SessionID == "" || got.UserIdentifier == "" || got.RedirectURL == "") {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

func TestALostAnswerHasBeenCarriedOut(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1, Sync: certain})
	before := correlationOf(c, c.s.UserID(1), "banking")
	c.fault(userFaults("1", "synchronize", Reset))
	if err := c.try(http.MethodPost, "/users/"+c.s.UserID(1)+"/banking/sync", "User-IP", "203.0.113.7"); err == nil {
		t.Error("the answer is not lost")
	}
	if after := correlationOf(c, c.s.UserID(1), "banking"); after == before {
		t.Error("nothing was synchronised")
	}
}

func TestFourSynchronisationsADay(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1, Sync: certain, Nightly: Odds{Login: -1}})
	for i, want := range []int{204, 204, 204, 204, 429, 429} {
		if status, body := c.sync(1, ""); status != want {
			t.Errorf("synchronisation %d: %d %s", i, status, body)
		}
	}
	c.s.Night()
	if status, _ := c.sync(1, ""); status != 204 {
		t.Errorf("the next day: %d", status)
	}
}

func TestSyncRequestsAreChecked(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 5, Seed: 1, Sync: certain})
	if status, _ := c.do(http.MethodPost, "/users/"+c.s.UserID(1)+"/banking/sync", ""); status != 400 {
		t.Errorf("without User-IP: %d", status)
	}
	if status, _ := c.sync(1, "{"); status != 400 {
		t.Errorf("with half a body: %d", status)
	}
	if status, _ := c.sync(1, `{"bankLoginId":"nobody's"}`); status != 404 {
		t.Errorf("for an unknown login: %d", status)
	}
}

func TestASyncFreshensItsLoginAlone(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 40, Seed: 1, Sync: certain, Plain: true, Nightly: Odds{Analysed: -1, Login: -1, Gone: -1}})
	c.s.Night()
	type login struct {
		BankLoginID         string
		LastSynchronization time.Time
	}
	for i := range 40 {
		var before, after []login
		c.read("/users/"+c.s.UserID(i)+"/banking/logins", &before)
		if len(before) != 2 {
			continue
		}
		if status, body := c.sync(i, `{"bankLoginId":"`+before[1].BankLoginID+`"}`); status != 204 {
			t.Fatalf("%d %s", status, body)
		}
		c.read("/users/"+c.s.UserID(i)+"/banking/logins", &after)
		if !after[0].LastSynchronization.Equal(before[0].LastSynchronization) || !after[1].LastSynchronization.After(c.s.Now()) {
			t.Errorf("before %v, after %v", before, after)
		}
		return
	}
	t.Error("nobody has two logins")
}

func TestServicesFinishOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, silent := range []bool{false, true} {
			c := setup(t, Options{Users: 5, Seed: 1, Sync: certain, AnalysisDelay: 100 * time.Second, AnalysingIs404: silent})
			id := c.s.UserID(1)
			old := correlationOf(c, id, "banking")
			if status, _ := c.sync(1, ""); status != 204 {
				t.Fatal(status)
			}
			waiting := old
			if silent {
				waiting = ""
			}
			done := func() (n int) {
				for _, name := range serviceNames {
					switch got := correlationOf(c, id, name); got {
					case waiting:
					case old, "":
						t.Errorf("while it runs, %s answers %q", name, got)
					default:
						n++
					}
				}
				return n
			}
			for k, want := range []int{0, 1, 2, 3, 4, 5} {
				if got := done(); got != want {
					t.Errorf("after %d steps %d services are done", k, got)
				}
				<-time.After(20 * time.Second)
			}
		}
	})
}

func TestAnalysesOfASyncAreToldToSome(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 12, Seed: 1, Sync: certain, Nightly: Odds{Login: -1}})
	told := 0
	for i := range 12 {
		resp, err := c.send(http.MethodPost, "/users/"+c.s.UserID(i)+"/banking/sync", "", "User-IP", "203.0.113.7")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if id := resp.Header.Get("Finoos-Correlation-Id"); id != "" {
			told++
			if got := correlationOf(c, c.s.UserID(i), "contracts"); got != id {
				t.Errorf("told %s, the correlation is %s", id, got)
			}
		}
	}
	if told == 0 || told == 12 {
		t.Errorf("%d of 12 are told", told)
	}
}

func TestBanksRefuseBySeed(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 60, Seed: 1, Sync: SyncOdds{Deprecated: 0.2, Credentials: 0.2, Blocked: 0.2, SCA: 0.2, Lost: -1}})
	seen := map[int]int{}
	for i := range 60 {
		status, _ := c.sync(i, "")
		if again, _ := c.sync(i, ""); again != status {
			t.Errorf("user %d: %d, then %d", i, status, again)
		}
		seen[status]++
	}
	for _, want := range []int{204, 409, 422, 423, 451} {
		if seen[want] == 0 {
			t.Errorf("no %d among %v", want, seen)
		}
	}
}
