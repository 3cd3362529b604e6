package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// client asks a sandbox over its in-process transport.
type client struct {
	*testing.T
	s     *Sandbox
	http  *http.Client
	token string
}

// setup returns a sandbox and a client that holds a token.
func setup(t *testing.T, o Options) *client {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{T: t, s: s, http: &http.Client{Transport: s.Transport()}}
	c.login()
	return c
}

func (c *client) login() {
	c.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"sandbox"}, "client_secret": {"sandbox"}}
	status, body := c.do(http.MethodPost, "/auth", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK {
		c.Fatalf("auth: %d %s %v", status, body, err)
	}
	c.token = got.AccessToken
}

// send sends a request; headers are names and values in turn.
func (c *client) send(method, path, body string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.Context(), method, "http://sandbox"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return c.http.Do(r)
}

func (c *client) do(method, path, body string, headers ...string) (int, []byte) {
	c.Helper()
	resp, err := c.send(method, path, body, headers...)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, answer
}

// try sends a request of which only the error counts.
func (c *client) try(method, path string, headers ...string) error {
	resp, err := c.send(method, path, "", headers...)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func (c *client) get(path string) (int, []byte) {
	c.Helper()
	return c.do(http.MethodGet, path, "")
}

// read reads a JSON answer into v; 204 leaves it alone.
func (c *client) read(path string, v any) {
	c.Helper()
	status, body := c.get(path)
	if status == http.StatusNoContent {
		return
	}
	if status != http.StatusOK {
		c.Fatalf("GET %s: %d %s", path, status, body)
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		c.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// services are the paths below a user whose answers a night may change.
var services = []string{
	"", "/banking/accounts", "/banking/transactions", "/banking/logins", "/banking/correlation",
	"/categorization", "/categorization/correlation", "/categorization/transactions", "/contracts", "/contracts/correlation",
	"/account-history", "/account-history/correlation", "/account-detection", "/account-detection/correlation",
}

// everything is all that the API says of a user.
func (c *client) everything(id string) string {
	c.Helper()
	var all strings.Builder
	for _, path := range services {
		_, body := c.get("/users/" + id + path)
		all.WriteString(path + " " + string(body) + "\n")
	}
	return all.String()
}

// idsIn are the ids of the users on a page.
func idsIn(c *client, body []byte) []string {
	c.Helper()
	var got struct {
		Users []struct {
			ID string `json:"id"`
		} `json:"users"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		c.Fatalf("%v in %s", err, body)
	}
	ids := make([]string, len(got.Users))
	for i, u := range got.Users {
		ids[i] = u.ID
	}
	return ids
}
