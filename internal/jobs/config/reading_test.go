package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fileOf is a jobs.yaml in a folder of its own.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jobs.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unsetText is a configuration all of whose values come from elsewhere.
const unsetText = `finoos:
  base_url: ${API}
  client_id: ${ID}
  client_secret_file: secret
  tenant: ${TENANT}
  requests_per_second: ${RATE}
sink:
  url: file:///lake
jobs:
  nightly:
    mask: {accounts: {iban: hmac}}
    mask_key: ${KEY}
    sync: {user_ip: "${IP}"}
`

func TestWhoReadsTheLakeNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	path := fileOf(t, unsetText)
	cfg, err := LoadToRead(path, env())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Sink.URL != "file:///lake" || cfg.Jobs["nightly"] == nil {
		t.Errorf("%+v", cfg)
	}
	var unset []string
	for _, u := range cfg.Notes.Unset {
		unset = append(unset, u.Key+": "+u.Why())
	}
	want := "finoos.base_url: API not set, finoos.client_id: ID not set, finoos.client_secret_file: its file is not there, finoos.tenant: TENANT not set, " +
		"finoos.requests_per_second: RATE not set, jobs.nightly.mask_key: KEY not set, jobs.nightly.sync.user_ip: IP not set"
	if got := strings.Join(unset, ", "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if empty, err := LoadToRead(path, env("KEY", "", "TENANT", "")); err != nil || empty.Knows("jobs.nightly.mask_key") || !empty.Knows("finoos.tenant") {
		t.Errorf("set, but empty: %v", err)
	}
	if cfg.Knows("finoos.base_url") || cfg.Knows("finoos.client_secret") || !cfg.Knows("finoos.timeout") || !cfg.Knows("sink.url") {
		t.Error("what is known is not told from what is not")
	}
	if when := cfg.Jobs["nightly"].Sync.When; when != SyncStale {
		t.Errorf("sync.when is %s: that nobody is asked does not follow from an address that is not known", when)
	}
	var ce *Error
	if _, err := Load(path, env()); !errors.As(err, &ce) || len(ce.Problems) != 7 {
		t.Errorf("to run: %v", err)
	}
}

// Nothing that leads to the lake, or says what is seen there, is made up.
func TestWhoReadsTheLakeNeedsWhatLeadsToIt(t *testing.T) {
	t.Parallel()
	for line, replacement := range map[string]string{
		"url: file:///lake": "url: ${SINK}",
		"jobs:\n  nightly:": "jobs:\n  nightly:\n    timezone: ${ZONE}",
		"tenant: ${TENANT}": "tenant: '4711'\n  timeout: 0s",
	} {
		_, err := LoadToRead(fileOf(t, strings.Replace(unsetText, line, replacement, 1)), env())
		var ce *Error
		if !errors.As(err, &ce) || len(ce.Problems) != 1 {
			t.Errorf("%s: %v", replacement, err)
		}
	}
}

func TestAFileIsCheckedWithoutWhatIsElsewhere(t *testing.T) {
	t.Parallel()
	all := strings.Replace(unsetText, "file:///lake", "${SINK}\n  sse: ${SSE}\n  kms_key_id: k", 1)
	got := Check(fileOf(t, all), env())
	if len(got.Problems) > 0 || len(got.Config.Notes.Unset) != 9 || got.Config.Jobs["nightly"] == nil {
		t.Errorf("%+v", got)
	}
	wrong := strings.Replace(all, "mask: {accounts: {iban: hmac}}", "mask: {accounts: {ibn: hmac, balance: hmac}}\n    concurency: 3", 1)
	if got := Check(fileOf(t, wrong), env("RATE", "many")); len(got.Problems) != 4 {
		t.Errorf("%+v", got.Problems)
	}
	if got := Check("nowhere.yaml", env()); len(got.Problems) != 1 || got.Config == nil {
		t.Errorf("%+v", got)
	}
}

func TestSecretsThatStandInTheFileAreNoted(t *testing.T) {
	t.Parallel()
	key := "mask_key: sixteen letters, or more"
	for name, tc := range map[string]struct {
		text string
		want string
	}{
		"as they are":         {minimal(key), "finoos.client_secret jobs.nightly.mask_key"},
		"from variables":      {strings.Replace(minimal("mask_key: ${K}"), secret, "${S}", 1), ""},
		"as a default":        {strings.Replace(minimal(), secret, "${NONE:-"+secret+"}", 1), "finoos.client_secret"},
		"none":                {strings.Replace(minimal("mask_key: ''"), secret, "${S}", 1), ""},
		"of a simulator":      {strings.Replace(minimal(), "https://os.test.fino.cloud/api", "http://127.0.0.1:8080", 1), ""},
		"of one by name":      {strings.Replace(minimal(key), "https://os.test.fino.cloud/api", "http://localhost:1", 1), "jobs.nightly.mask_key"},
		"of one that is none": {strings.Replace(minimal(), "https://os.test.fino.cloud/api", "http://localhost.example", 1), "finoos.client_secret"},
	} {
		var keys []string
		for _, p := range parse(t, tc.text, env("S", secret, "K", "0123456789abcdef")).Notes.Plain {
			keys = append(keys, p.Key)
			if strings.Contains(p.String(), secret) || p.Line == 0 {
				t.Errorf("%s: %s", name, p)
			}
		}
		if got := strings.Join(keys, " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestABodyMayNotEndBeforeItsSilence(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"timeout: 30s\n  body_timeout: 20s":  "jobs.yaml:6:17: finoos.body_timeout: is less than finoos.timeout",
		"body_timeout: 29s":                  "jobs.yaml:5:17: finoos.body_timeout: is less than finoos.timeout",
		"timeout: 11m":                       "jobs.yaml:5:12: finoos.timeout: is more than finoos.body_timeout",
		"timeout: 11m\n  body_timeout: soon": "jobs.yaml:6:17: finoos.body_timeout: \"soon\" is no duration",
	} {
		got := problems(t, strings.Replace(minimal(), "sink:", "  "+lines+"\nsink:", 1), env())
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: got %q, want %s", lines, got, want)
		}
	}
	parse(t, strings.Replace(minimal(), "sink:", "  timeout: 30s\n  body_timeout: 30s\nsink:", 1), nil)
}
