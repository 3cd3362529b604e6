// Package banktest makes simulated banks, and jobs that pull from them into a
// folder, for the tests of several packages.
package banktest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// Steady are odds by which nothing happens on its own: nobody comes or goes,
// every bank answers, every night analyses everyone.
func Steady(users int) sandbox.Options {
	return sandbox.Options{
		Users: users, Nightly: sandbox.Odds{Analysed: 1, Gone: -1, Joined: -1, Login: -1},
		Sync: sandbox.SyncOdds{Deprecated: -1, Credentials: -1, Blocked: -1, SCA: -1, Lost: -1},
	}
}

// Still is [Steady], but at night nobody is analysed anew.
func Still(users int) sandbox.Options {
	o := Steady(users)
	o.Nightly.Analysed = -1
	return o
}

// New makes a bank that is the same in every run of a test. A request to a path
// that the API does not have fails the test.
func New(t *testing.T, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = 20261119
	}
	o.CacheUsers = 300 // nobody is invented twice
	sb, err := sandbox.New(o)
	if err != nil {
		t.Fatalf("new sandbox: %v", err)
	}
	t.Cleanup(func() {
		if n := sb.UnknownRoutes(); n > 0 {
			t.Errorf("%d requests went to paths that the API does not have", n)
		}
	})
	return sb
}

// Config is the job nightly, from http://bank.test into the folder dir: without
// sync sessions, and refreshing nothing by age. lines are added to the job, and
// take the place of what stands there.
func Config(t *testing.T, dir string, lines ...string) *config.Config {
	t.Helper()
	var y strings.Builder
	y.WriteString("finoos: {base_url: http://bank.test, client_id: sandbox, client_secret: sandbox, requests_per_second: 10000}\n" +
		"sink: {url: 'file://" + filepath.ToSlash(dir) + "', compression: none}\njobs:\n  nightly:\n")
	for _, l := range []string{"concurrency: 4", "full_refresh_every: 87600h", "checkpoint_every: 599s"} {
		key, _, _ := strings.Cut(l, ":")
		if !slices.ContainsFunc(lines, func(given string) bool { return strings.HasPrefix(given, key+":") }) {
			lines = append(lines, l)
		}
	}
	for _, l := range lines {
		fmt.Fprintf(&y, "    %s\n", l)
	}
	cfg, err := config.Parse("jobs.yaml", []byte(y.String()), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatalf("parse configuration: %v", err)
	}
	return cfg
}

// Store opens the folder that [Config] names.
func Store(t *testing.T, dir string) bucket.Store {
	t.Helper()
	s, err := bucket.Open(t.Context(), "file://"+filepath.ToSlash(dir), bucket.Options{Pending: sink.PendingPrefix("nightly")})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	return s
}
