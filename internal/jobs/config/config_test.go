package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos"
)

// secret stands in for every secret in these tests: no error may hold it.
const secret = "hunter2-Zo!9"

// env returns a getenv over pairs of names and values.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// minimal is the shortest configuration; lines are added to its job.
func minimal(lines ...string) string {
	var b strings.Builder
	b.WriteString("finoos:\n  base_url: https://os.test.fino.cloud/api\n  client_id: me\n  client_secret: " + secret + "\n" +
		"sink:\n  url: file:///lake\njobs:\n  nightly:\n")
	for _, line := range lines {
		b.WriteString("    " + line + "\n")
	}
	return b.String()
}

// problems returns the lines of the error that text must lead to.
func problems(t *testing.T, text string, getenv func(string) (string, bool)) []string {
	t.Helper()
	cfg, err := Parse("jobs.yaml", []byte(text), getenv)
	var ce *Error
	if !errors.As(err, &ce) || cfg != nil {
		t.Fatalf("want a *Error and no configuration, got %v and %v", err, cfg)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows the secret: %v", err)
	}
	return strings.Split(err.Error(), "\n")
}

func parse(t *testing.T, text string, getenv func(string) (string, bool)) *Config {
	t.Helper()
	cfg, err := Parse("jobs.yaml", []byte(text), getenv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

var byValue = cmp.Options{
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func TestTheShortestConfigurationHasTheDefaultsOfTheDesign(t *testing.T) {
	t.Parallel()
	want := &Config{
		FinoOS: FinoOS{
			BaseURL: "https://os.test.fino.cloud/api", ClientID: "me", ClientSecret: secret, RequestsPerSecond: 20,
			Timeout: 30 * time.Second, BodyTimeout: 10 * time.Minute, RetryMaxElapsed: 2 * time.Minute, MaxResponse: 256 << 20, MaxScratch: 1 << 30, FirstPage: "auto",
		},
		Sink: Sink{URL: "file:///lake", Compression: "zstd", TargetFileSize: 128 << 20},
		Jobs: map[string]*Job{"nightly": {
			Name: "nightly", Timezone: time.UTC, Streams: Streams(), Concurrency: 16, Probe: "auto", BankLogins: "need", Categorization: "diff", First: "auto",
			CheckpointEvery: 10 * time.Minute, FullRefreshEvery: 7 * 24 * time.Hour, LeaseWait: 90 * time.Second,
			ListTimeout: 10 * time.Minute, IfRunning: "skip", CatchUp: time.Hour, Overlap: 10 * 24 * time.Hour, MaxInflightBytes: 32 << 20, MaxGone: 0.01,
			Sync:     Sync{When: SyncNever, StaleAfter: 20 * time.Hour, SettleTimeout: 15 * time.Minute, NeedsUserRetry: 7 * 24 * time.Hour},
			Failures: Failures{MaxRatio: 0.005, RetryAtEnd: true, QuarantineAfter: 5},
		}},
	}
	got := parse(t, minimal(), nil)
	got.Notes = Notes{}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEveryKeyReachesItsField(t *testing.T) {
	t.Parallel()
	got := parse(t, `finoos:
  base_url: http://127.0.0.1:8080/
  client_id: me
  client_secret: s
  tenant: "4711"
  requests_per_second: 0.5
  paths: {contracts: "/users/{user-id}/contracts/v2"}
  timeout: 1m
  body_timeout: 7m
  ca_file: ca/proxy.pem
  retry: {max_elapsed: 3m}
  max_response: 1048576
  max_scratch: 8MiB
  first_page: 0
sink:
  url: s3://lake/x?region=eu-central-1
  compression: zstd:3
  target_file_size: 64MiB
  scratch_dir: /scratch
  ca_file: /etc/ca.pem
  sse: aws:kms
  kms_key_id: alias/lake
  expected_bucket_owner: 012345678901
jobs:
  a:
    schedule: "30 2 * * *"
    timezone: Europe/Berlin
    streams: [accounts, users]
    concurrency: 4
    probe: banking
    bank_logins: each
    first: separate
    categorization: full
    checkpoint_every: 1m
    full_refresh_every: 24h
    deadline: 5h
    lease_wait: 1s
    list_timeout: 2m
    if_running: queue
    jitter: 7m
    catch_up: 3m
    overlap: 4h
    max_inflight_bytes: 1MiB
    max_gone: 0.5
    mask: {accounts: {iban: hmac, owner: drop}}
    mask_key: 0123456789abcdef
    sync:
      when: always
      stale_after: 1h
      user_ip: 2001:db8::7
      user_ips: ips/users.csv
      redirect_url: https://app.example/done?a=b
      error_url: com.example.app:/error
      exit_url: myapp://exit
      settle_timeout: 2m
      needs_user_retry: 3h
      export_redirect_url: true
    failures: {max_ratio: 1, retry_at_end: false, quarantine_after: 9}
  b: {streams: [contracts]}
`, nil)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	b := *parse(t, minimal(), nil).Jobs["nightly"]
	b.Name, b.Streams = "b", []Stream{StreamContracts}
	want := &Config{
		FinoOS: FinoOS{
			BaseURL: "http://127.0.0.1:8080", ClientID: "me", ClientSecret: "s", Tenant: "4711", RequestsPerSecond: 0.5,
			Paths:   map[string]string{"contracts": "/users/{user-id}/contracts/v2"},
			Timeout: time.Minute, BodyTimeout: 7 * time.Minute, RetryMaxElapsed: 3 * time.Minute, MaxResponse: 1 << 20, MaxScratch: 8 << 20, FirstPage: "0", CAFile: "ca/proxy.pem",
		},
		Sink: Sink{
			URL: "s3://lake/x?region=eu-central-1", Compression: "zstd:3", TargetFileSize: 64 << 20, ScratchDir: "/scratch", CAFile: "/etc/ca.pem",
			SSE: "aws:kms", KMSKeyID: "alias/lake", ExpectedBucketOwner: "012345678901",
		},
		Jobs: map[string]*Job{"b": &b, "a": {
			Name: "a", Schedule: "30 2 * * *", Timezone: berlin, Streams: []Stream{StreamAccounts, StreamUsers}, Concurrency: 4,
			Probe: ProbeBanking, BankLogins: LoginsEach, Categorization: CategorizationFull, First: FirstSeparate, CheckpointEvery: time.Minute, FullRefreshEvery: 24 * time.Hour,
			Deadline: 5 * time.Hour, LeaseWait: time.Second, ListTimeout: 2 * time.Minute, IfRunning: IfRunningQueue, Jitter: 7 * time.Minute, CatchUp: 3 * time.Minute, Overlap: 4 * time.Hour,
			MaxInflightBytes: 1 << 20, MaxGone: 0.5,
			Mask: map[string]map[string]string{"accounts": {"iban": "hmac", "owner": "drop"}}, MaskKey: "0123456789abcdef",
			Sync: Sync{
				When: SyncAlways, StaleAfter: time.Hour, UserIP: netip.MustParseAddr("2001:db8::7"), SettleTimeout: 2 * time.Minute,
				NeedsUserRetry: 3 * time.Hour, ExportRedirectURL: true,
				UserIPs: "ips/users.csv", RedirectURL: "https://app.example/done?a=b", ErrorURL: "com.example.app:/error", ExitURL: "myapp://exit",
			},
			Failures: Failures{MaxRatio: 1, QuarantineAfter: 9},
		}},
	}
	got.Notes = Notes{}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// A field that this test leaves alone would pass with a tag that is wrong.
	for _, v := range []reflect.Value{reflect.ValueOf(*want.Jobs["a"]), reflect.ValueOf(want.FinoOS), reflect.ValueOf(want.Sink), reflect.ValueOf(want.Jobs["a"].Sync)} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() {
				t.Errorf("%s.%s is not covered here", v.Type().Name(), name)
			}
		}
	}
}

func TestDefaultsKeepTheirOwnBounds(t *testing.T) {
	t.Parallel()
	var walk func(specs []*spec)
	walk = func(specs []*spec) {
		for _, s := range specs {
			walk(s.children)
			if s.typ == nil || !s.hasDefault {
				continue
			}
			if err := setText(reflect.New(s.typ).Elem(), s, s.fallback); err != nil {
				t.Errorf("%s: default %q %v", s.key, s.fallback, err)
			}
		}
	}
	walk(configSpec)
	walk(jobSpec)
}

func TestEveryFieldButTheNameHasAKey(t *testing.T) {
	t.Parallel()
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Config](), reflect.TypeFor[FinoOS](), reflect.TypeFor[Sink](),
		reflect.TypeFor[Job](), reflect.TypeFor[Sync](), reflect.TypeFor[Failures](),
	} {
		for f := range typ.Fields() {
			if _, ok := f.Tag.Lookup("key"); !ok && f.Name != "Name" && f.Name != "Notes" {
				t.Errorf("%s.%s cannot be set in the file", typ.Name(), f.Name)
			}
		}
	}
}

// The file that is shipped must load as it stands, and show every key: it is
// what operators start from.
func TestTheShippedFileLoadsAndShowsEveryKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "jobs.yaml")
	cfg, err := Load(path, env("FINOOS_CLIENT_ID", "me", "FINOOS_CLIENT_SECRET", secret))
	if err != nil {
		t.Fatal(err)
	}
	if when := cfg.Jobs["nightly"].Sync.When; when != SyncNever {
		t.Errorf("sync.when is %s without SYNCER_USER_IP", when)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(specs []*spec)
	walk = func(specs []*spec) {
		for _, s := range specs {
			walk(s.children)
			if !strings.Contains(string(body), " "+s.key+":") && !strings.Contains(string(body), "\n"+s.key+":") {
				t.Errorf("jobs.yaml does not show %s", s.key)
			}
		}
	}
	walk(configSpec)
	walk(jobSpec)

	// What it shows as defaults are the defaults.
	plain := parse(t, minimal(), nil)
	job := *cfg.Jobs["nightly"]
	job.Schedule, job.Timezone = "", time.UTC
	plain.Jobs["nightly"].Streams = job.Streams
	if diff := cmp.Diff(plain.Jobs["nightly"], &job, byValue); diff != "" {
		t.Errorf("jobs.yaml shows other defaults (-default +shown):\n%s", diff)
	}
}

func TestLoadNamesAFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, err := Load("no/such/jobs.yaml", env())
	want := "no/such/jobs.yaml: cannot be read: no such file or directory; name the file with --config, or begin one with syncer init"
	var ce *Error
	if !errors.As(err, &ce) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSecretsAreReadFromFilesBesideTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, body string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("id", "me\n")
	write("secret", "\ufeff"+secret+"\r\n") // an editor has left its mark
	write("jobs.yaml", "finoos:\n  base_url: https://a.example\n  client_id_file: "+filepath.Join(dir, "id")+
		"\n  client_secret_file: ${DIR:-.}/secret\nsink: {url: 'file:///lake'}\njobs: {nightly: }\n")
	cfg, err := Load(filepath.Join(dir, "jobs.yaml"), env())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.FinoOS.ClientID != "me" || cfg.FinoOS.ClientSecret != finoos.Secret(secret) {
		t.Errorf("got id %q and a secret of %d bytes", cfg.FinoOS.ClientID, len(cfg.FinoOS.ClientSecret.Reveal()))
	}
}

func TestASecretFileThatCannotServeIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, body []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct{ file, want string }{
		{filepath.Join(dir, "absent"), "no such file or directory"},
		{dir, "is a directory"},
		{write("empty", []byte("\n")), "it is empty"},
		{write("large", make([]byte, maxSecretFile+1)), "larger than 64 KiB"},
	} {
		text := strings.Replace(minimal(), "client_secret: "+secret, "client_secret_file: "+tc.file, 1)
		want := []string{"jobs.yaml:4:23: finoos.client_secret_file: the file cannot be read: " + tc.want}
		if diff := cmp.Diff(want, problems(t, text, env())); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.file, diff)
		}
	}
}

// Whatever way a configuration is printed, the secret is not.
func TestAConfigurationPrintsWithoutItsSecret(t *testing.T) {
	t.Parallel()
	cfg := parse(t, minimal(), nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, cfg.FinoOS); strings.Contains(text, secret) {
			t.Errorf("%s prints the secret", format)
		}
	}
	if _, err := fmt.Fprint(io.Discard, cfg); err != nil {
		t.Error(err)
	}
}

func TestUsersAreSentBackToAbsoluteURLsOnly(t *testing.T) {
	t.Parallel()
	at := func(url string) string {
		return minimal() + "    sync: {user_ip: 203.0.113.7, redirect_url: '" + url + "'}\n"
	}
	getenv := env("BACK", "https://app.example/back")
	for _, url := range []string{
		"https://app.example", "http://localhost:3000/done", "https://app.example/a?b=c&d=%20#e", "myapp://done", "com.example.app:done", "MyApp:/x", "${BACK}", "https://${HOST:-app.example}/x", "",
	} {
		if _, err := Parse("jobs.yaml", []byte(at(url)), getenv); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"back.test/done", "/done", "//back.test/done", "localhost:3000/done", "https://", "https:///done", "https://me:pw@back.test/", "myapp://me@done",
		"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://back.test/a b", "https://back.test/\"", "https://[::1", "https://back.test/" + strings.Repeat("x", 2000),
	} {
		_, err := Parse("jobs.yaml", []byte(at(url)), getenv)
		if err == nil {
			t.Errorf("%s is taken", url)
		} else if len(url) > 8 && strings.Contains(err.Error(), url) {
			t.Errorf("%s: the error repeats it: %v", url, err)
		}
	}
}

func TestTheFileOfAddressesLiesBesideTheConfiguration(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"ips.csv": "conf/ips.csv", "/etc/ips.csv": "/etc/ips.csv"} {
		cfg, err := Parse("conf/jobs.yaml", []byte(minimal()+"    sync: {user_ips: "+given+"}\n"), env())
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Jobs["nightly"].Sync; got.UserIPs != want || got.When != SyncStale {
			t.Errorf("%s: %+v", given, got)
		}
	}
}
