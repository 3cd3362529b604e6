package finoos

import (
	"net/http"
	"strings"
	"testing"
)

func TestPathsCanBeOverridden(t *testing.T) {
	t.Parallel()
	c, a := setup(t, always(reply{body: `[]`}), func(cfg *Config) {
		cfg.Paths = map[string]string{"logins": "/v2/logins/{user-id}", "correlation": "/c/{service}/{user-id}"}
	})
	l, err := c.Logins(t.Context(), "u")
	all(t, l, err)
	if _, err := c.Correlation(t.Context(), "u", Banking); ClassOf(err) != Malformed || !strings.Contains(err.Error(), "/c/{service}/{user-id}") {
		t.Errorf("got %v", err)
	}
	if got := a.asked[0].URL.Path + " " + a.asked[1].URL.Path; got != "/api/v2/logins/u /api/c/banking/u" {
		t.Errorf("asked %s", got)
	}
	for _, op := range Operations() {
		if strings.HasPrefix(op.Path, "/v2") {
			t.Error("the override of one client is in the table of all")
		}
	}
}

func TestMistakesInTheConfigurationAreNamed(t *testing.T) {
	t.Parallel()
	path := func(name, path string) func(*Config) {
		return func(cfg *Config) { cfg.Paths = map[string]string{name: path} }
	}
	for want, tweak := range map[string]func(*Config){
		`no operation is named "acounts"; did you mean "accounts"?`:                path("acounts", "/x/{user-id}"),
		`no operation is named "Account-History"; did you mean "account_history"?`: path("Account-History", "/x/{user-id}"),
		`accounts: "/x" must hold {user-id} once`:                                  path("accounts", "/x"),
		`users: "/x/{user-id}" must not hold {user-id}`:                            path("users", "/x/{user-id}"),
		`correlation: "/x/{user-id}" must hold {service} once`:                     path("correlation", "/x/{user-id}"),
		`accounts: "/x/{user-id}/{what}" holds an unknown placeholder`:             path("accounts", "/x/{user-id}/{what}"),
		`accounts: "x/{user-id}" must begin with / and be a path alone`:            path("accounts", "x/{user-id}"),
		`accounts: "/x/{user-id}?a=b" must begin with / and be a path alone`:       path("accounts", "/x/{user-id}?a=b"),
		"first page: must be auto, 0 or 1":                                         func(cfg *Config) { cfg.FirstPage = "2" },
	} {
		cfg := Config{BaseURL: "https://finoos.test/api"}
		tweak(&cfg)
		if _, err := New(cfg); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestEveryOperationHasOneRoute(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux() // panics where two routes conflict
	names := map[string]bool{}
	for _, op := range Operations() {
		if names[op.Name] || op.Sure == "" {
			t.Errorf("%+v", op)
		}
		names[op.Name] = true
		if op.Name == opCorrelation {
			continue // overlaps with none that takes the place of a service
		}
		mux.HandleFunc(op.Method+" "+strings.ReplaceAll(op.Path, "user-id", "user"), func(http.ResponseWriter, *http.Request) {})
	}
	if len(names) != 12 {
		t.Errorf("%d operations", len(names))
	}
}
