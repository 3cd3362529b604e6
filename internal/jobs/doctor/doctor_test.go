package doctor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/bucket"
)

// another is an API that differs from what we know, in a way.
type another struct {
	http.RoundTripper
	path func(path string) string       // the path that it really has
	body func(path, body string) string // the answer that it really gives
}

func (a another) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := req.URL.Path
	if a.path != nil {
		req = req.Clone(req.Context())
		req.URL.Path = a.path(asked)
		req.URL.RawPath = ""
	}
	resp, err := a.RoundTripper.RoundTrip(req)
	if err != nil || a.body == nil {
		return resp, err
	}
	defer resp.Body.Close() //nolint:errcheck // was read to its end
	text, err := io.ReadAll(resp.Body)
	text = []byte(a.body(asked, string(text)))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	resp.Header.Del("Content-Length")
	return resp, err
}

// unconditional is a store that ignores conditions.
type unconditional struct{ bucket.Store }

func (u unconditional) Put(ctx context.Context, key string, body []byte, _ bucket.Condition) (bucket.Info, error) {
	return u.Store.Put(ctx, key, body, bucket.Condition{})
}

func TestTheDoctorNamesWhatDiffersFromOurReading(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bank   sandbox.Options
		faults sandbox.Faults
		api    another
		store  func(bucket.Store) bucket.Store
		finoos func(*config.FinoOS)
		job    []string

		status CheckStatus // of the line that names it; the worst there is
		what   string
		saw    string
		do     string
		reason jobs.Reason // where a check fails
	}{
		"one address for all users": {
			job: []string{"sync: {user_ip: 203.0.113.7, when: always}"}, status: CheckWarn, what: "bank synchronisations",
			saw: "by PSD2 it is the user's own, and says that the user is present", do: "sync.user_ips",
		},
		"a file of addresses that is not there": {
			job: []string{"sync: {user_ips: /nowhere/ips.csv}"}, status: CheckFail, what: "bank synchronisations",
			saw: "/nowhere/ips.csv: file does not exist", do: "put the file there", reason: jobs.ReasonConfig,
		},
		"nothing is hidden": {status: CheckNote, what: "mask", saw: "nothing is hidden: names", do: "Personal data"},
		"a mask": {
			job:    []string{"mask: {accounts: {iban: hmac, owner: drop}}", "mask_key: 0123456789abcdef"},
			status: CheckOK, what: "mask", saw: "hidden in accounts (iban hmac, owner drop); what is remembered",
		},
		"a mask without a key": {
			job: []string{"mask: {accounts: {owner: drop}}"}, status: CheckWarn, what: "mask",
			saw: "changes of what is dropped are not found", do: "set mask_key",
		},
		"a secret in the file": {
			job: []string{"mask: {accounts: {owner: drop}}", "mask_key: 0123456789abcdef"}, status: CheckWarn, what: "secrets",
			saw: "jobs.nightly.mask_key is a secret, and stands in the file as it is: write ${NAME}", do: "give it a new value where",
		},
		"one analysis of all services": {
			status: CheckOK, what: "analyses", saw: "4 services of this user show the same one",
		},
		"an analysis for each service": {
			bank: sandbox.Options{Readings: sandbox.Readings{CorrelationIDs: "per_service"}}, status: CheckNote, what: "analyses",
			saw: "4 services of this user show 4 different ones: while that holds, probe: auto asks them all",
		},
		"how users are asked": {status: CheckNote, what: "probe", saw: "each (whether the services of a user show one analysis is not known yet)"},
		"nothing differs":     {status: CheckNote, what: "transactions", saw: "fields that we do not know: ", do: "_extra"},
		"another path": {
			api: another{path: func(p string) string {
				if strings.HasSuffix(p, "/contracts") {
					return p + "/elsewhere" // where there is nothing
				}
				return strings.Replace(p, "/recurring", "/contracts", 1)
			}},
			status: CheckFail, what: "contracts", saw: "not found (404)", do: "the user exists, so the path differs: set finoos.paths.contracts", reason: jobs.ReasonAPI,
		},
		"another path that is set": {
			api: another{path: func(p string) string {
				if strings.HasSuffix(p, "/contracts") {
					return p + "/elsewhere"
				}
				return strings.Replace(p, "/recurring", "/contracts", 1)
			}},
			finoos: func(f *config.FinoOS) { f.Paths = map[string]string{"contracts": "/users/{user-id}/recurring"} },
			status: CheckNote, what: "paths", saw: "overridden: contracts",
		},
		"pages that count from 0": {
			bank: sandbox.Options{PageSize: 3}, faults: sandbox.Faults{ZeroPages: true, NoContext: true},
			finoos: func(f *config.FinoOS) { f.FirstPage = "1" },
			status: CheckFail, what: "pages of users", saw: "count from 0, but finoos.first_page is 1", do: `set finoos.first_page to "0"`, reason: jobs.ReasonConfig,
		},
		"pages that count from 0, found out": {
			bank: sandbox.Options{PageSize: 3}, faults: sandbox.Faults{ZeroPages: true, NoContext: true},
			status: CheckNote, what: "pages of users", saw: "count from 0", do: `finoos.first_page: "0"`,
		},
		"another envelope": {
			api: another{body: func(path, body string) string {
				if strings.HasSuffix(path, "/account-history") {
					return strings.Replace(body, `"histories"`, `"data"`, 1)
				}
				return body
			}},
			status: CheckWarn, what: "account_history", saw: `the records stand under "data", the document says under "histories"`, do: "report it",
		},
		"a key under another name": {
			bank: sandbox.Options{Plain: true},
			api: another{body: func(path, body string) string {
				if strings.HasSuffix(path, "/contracts") {
					return strings.Replace(body, `"contractId"`, `"contractRef"`, 1)
				}
				return body
			}},
			status: CheckFail, what: "contracts", saw: "contractId: missing", do: "report it", reason: jobs.ReasonAPI,
		},
		"a scope that is missing": {
			bank:   sandbox.Options{Scopes: []string{"banking", "categorization", "account-history"}},
			status: CheckFail, what: "contracts", saw: "forbidden (403), needs the scope contracts", do: "have the scope granted", reason: jobs.ReasonCredentials,
		},
		"a tenant that is mistyped": {
			finoos: func(f *config.FinoOS) { f.Tenant = "sandbocks" },
			status: CheckWarn, what: "users", saw: `the tenant "sandbocks" has no users`, do: "check finoos.tenant",
		},
		"credentials that are refused": {
			finoos: func(f *config.FinoOS) { f.ClientSecret = "wrong-secret" },
			status: CheckFail, what: "token", saw: "auth", do: "belong together", reason: jobs.ReasonCredentials,
		},
		"a store that ignores conditions": {
			store:  func(s bucket.Store) bucket.Store { return unconditional{s} },
			status: CheckFail, what: "sink: write under a condition", saw: "If-None-Match is ignored", do: "use another store", reason: jobs.ReasonSink,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.bank.Users = 10; tt.api.path != nil {
				tt.bank.PageSize = 100
			}
			sb, err := sandbox.New(tt.bank)
			if err != nil {
				t.Fatal(err)
			}
			if err := sb.SetFaults(tt.faults); err != nil {
				t.Fatal(err)
			}
			tt.api.RoundTripper = sb.Transport()
			dir := t.TempDir()
			cfg := banktest.Config(t, dir, tt.job...)
			if tt.finoos != nil {
				tt.finoos(&cfg.FinoOS)
			}
			checks, err := Run(t.Context(), Options{Config: cfg, Job: "nightly", Transport: tt.api, WrapStore: tt.store})
			var stop *jobs.StopError
			switch isStop := errors.As(err, &stop); {
			case tt.status == CheckFail && (!isStop || stop.Reason != tt.reason):
				t.Errorf("ended with %v, want reason %d", err, tt.reason)
			case tt.status != CheckFail && err != nil:
				t.Error(err)
			}
			named := false
			for _, c := range checks {
				if strings.Contains(c.Saw+c.Do, "wrong-secret") {
					t.Errorf("shows a secret: %+v", c)
				}
				named = named || c.Status == tt.status && c.What == tt.what && strings.Contains(c.Saw, tt.saw) && strings.Contains(c.Do, tt.do)
				if worse := c.Status == CheckFail && tt.status != CheckFail || c.Status == CheckWarn && tt.status == CheckNote; worse {
					t.Errorf("%s: %+v", c.Status, c)
				}
			}
			if !named {
				t.Errorf("it is not named: %+v", checks)
			}
			if posts := sb.Counts()["synchronize"]; posts != 0 {
				t.Errorf("%d bank synchronisations", posts)
			}
			for info, err := range banktest.Store(t, dir).List(t.Context(), "", "") {
				t.Errorf("left behind: %s (%v)", info.Key, err)
			}
		})
	}
}

func TestTheDoctorSaysWhichFieldsItExpectsAndDoesNotSee(t *testing.T) {
	t.Parallel()
	sb, err := sandbox.New(sandbox.Options{Users: 3})
	if err != nil {
		t.Fatal(err)
	}
	api := another{RoundTripper: sb.Transport(), body: func(path, body string) string {
		if strings.HasSuffix(path, "/transactions") {
			return strings.ReplaceAll(body, `"currency"`, `"ccy"`)
		}
		return body
	}}
	checks, err := Run(t.Context(), Options{Config: banktest.Config(t, t.TempDir()), Job: "nightly", User: sb.UserID(1), Transport: api})
	if err != nil {
		t.Fatal(err)
	}
	var unknown, missing bool
	for _, c := range checks {
		unknown = unknown || c.What == "transactions" && strings.Contains(c.Saw, "do not know: ") && strings.Contains(c.Saw, "ccy")
		missing = missing || c.What == "transactions" && strings.Contains(c.Saw, "did not see: ") && strings.Contains(c.Saw, "currency")
	}
	if !unknown || !missing {
		t.Errorf("unknown named: %t, missing named: %t; %+v", unknown, missing, checks)
	}
}

// The simulator's diffs name what was added. Each user who has such an entry
// shows it; one who has not been pulled shows nothing.
func TestTheDoctorFindsOutWhatADiffMeans(t *testing.T) {
	t.Parallel()
	sb := banktest.New(t, banktest.Steady(6))
	cfg := banktest.Config(t, t.TempDir())
	seen := map[CheckStatus]int{}
	ask := func() {
		for i := range 6 {
			checks, err := Run(t.Context(), Options{Config: cfg, Job: "nightly", User: sb.UserID(i), Transport: sb.Transport()})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				if c.What == "categorization diffs" {
					seen[c.Status]++
				}
			}
		}
	}
	ask()
	if seen[CheckNote] != 6 {
		t.Errorf("before the first run: %v", seen)
	}
	if _, err := jobs.Run(t.Context(), jobs.RunOptions{Config: cfg, Job: "nightly", Holder: t.Name(), Transport: sb.Transport(), Now: sb.Now}); err != nil {
		t.Fatal(err)
	}
	clear(seen)
	for range 3 {
		sb.Night()
	}
	ask()
	if seen[CheckOK] == 0 {
		t.Errorf("nights after the first run, nobody's diff says anything: %v", seen)
	}
}
