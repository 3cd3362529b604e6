package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// All that is wrong comes out of one reading, each at its place.
func TestAllProblemsAreReportedAtOnceEachAtItsPlace(t *testing.T) {
	t.Parallel()
	text := `finoos:
  base_url: ftp://files.example
  client_id: ${FINOOS_CLIENT_ID}
  client_secrt: ` + secret + `
  requests_per_second: "20"
  first_page: 2
  paths: {contract: /x, accounts: x}
  timeout: 30
sink:
  url: https://bucket.example
  compression: gzip
  kms_key_id: alias/lake
jobs:
  nightly:
    schedule: "30 2 * *"
    timezone: Europe/Berln
    concurency: 16
    concurrency: [16]
    checkpoint_every: 500ms
    streams: [users, contract]
    user_ip: 203.0.113.7
    mask: {accounts: {iban: hash}}
    max_gone: 1.5
    sync:
      user_ip: 203.0.113
      export_redirect_url: yes
  nightly: {}
  Weekly: {}
`
	want := []string{
		`jobs.yaml:2:3: finoos.client_secret: is missing: give client_secret or client_secret_file`,
		`jobs.yaml:2:13: finoos.base_url: the value is no address: write one such as https://os.fino.cloud/api`,
		`jobs.yaml:3:14: finoos.client_id: environment variable FINOOS_CLIENT_ID is not set: set it, or write ${FINOOS_CLIENT_ID:-default}`,
		`jobs.yaml:4:3: finoos.client_secrt: unknown key; did you mean "client_secret"?`,
		`jobs.yaml:5:24: finoos.requests_per_second: must be a number: take the quotes away`,
		`jobs.yaml:6:15: finoos.first_page: "2" is not one of auto, 0, 1; did you mean "0"?`,
		`jobs.yaml:7:11: finoos.paths.contract: unknown operation; did you mean "contracts"?`,
		`jobs.yaml:7:35: finoos.paths.accounts: "x" is no path: it begins with a /, and follows base_url`,
		`jobs.yaml:8:12: finoos.timeout: "30" is no duration: write a number and its unit, such as 90s, 15m or 168h`,
		`jobs.yaml:10:8: sink.url: the value is no place to write to: write s3://bucket/prefix?region=eu-central-1 or file:///folder`,
		`jobs.yaml:11:16: sink.compression: "gzip" is no compression: write zstd, zstd:1 to zstd:22, snappy or none`,
		`jobs.yaml:12:15: sink.kms_key_id: needs sse: aws:kms`,
		`jobs.yaml:15:15: jobs.nightly.schedule: "30 2 * *" is no schedule: it has 4 of five fields (minute, hour, day, month, weekday): write * for each that does not matter`,
		`jobs.yaml:16:15: jobs.nightly.timezone: "Europe/Berln" is no known time zone: write one such as Europe/Berlin, or UTC`,
		`jobs.yaml:17:5: jobs.nightly.concurency: unknown key; did you mean "concurrency"?`,
		`jobs.yaml:18:18: jobs.nightly.concurrency: must be a single value, not a list or a mapping`,
		`jobs.yaml:19:23: jobs.nightly.checkpoint_every: "500ms" is less than 1s: write a number and its unit, such as 90s, 15m or 168h`,
		`jobs.yaml:20:22: jobs.nightly.streams[1]: "contract" is not one of users, bank_logins, accounts, transactions, categorization, contracts, account_history; did you mean "contracts"?`,
		`jobs.yaml:21:5: jobs.nightly.user_ip: unknown key; it belongs in jobs.<name>.sync.user_ip`,
		`jobs.yaml:22:29: jobs.nightly.mask.accounts.iban: "hash" is not one of hmac, drop`,
		`jobs.yaml:23:15: jobs.nightly.max_gone: "1.5" is too large: the most is 1`,
		`jobs.yaml:25:16: jobs.nightly.sync.user_ip: "203.0.113" is no IP address: write one such as 203.0.113.7 or 2001:db8::7`,
		`jobs.yaml:26:28: jobs.nightly.sync.export_redirect_url: must be true or false, without quotes`,
		`jobs.yaml:27:3: jobs.nightly: stands here a second time: first in line 14`,
		`jobs.yaml:28:3: jobs.Weekly: is no name of a job: use lower-case letters, digits, - and _, at most 40`,
	}
	if diff := cmp.Diff(want, problems(t, text, env())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatIsWrongWithTheWholeFileIsSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"empty":          {"", `jobs.yaml:1:1: is empty: it needs the keys finoos, sink and jobs`},
		"comments only":  {"# nothing\n", `jobs.yaml:1:1: is empty: it needs the keys finoos, sink and jobs`},
		"a list":         {"- a\n", `jobs.yaml:1:1: must be a mapping: key: value lines below it`},
		"two documents":  {minimal() + "---\nfinoos: {}\n", `jobs.yaml:9:1: a second document begins here: only one is read`},
		"too large":      {strings.Repeat("#", maxConfig+1), `jobs.yaml:1:1: larger than 1024 KiB: is this the right file?`},
		"a tab":          {"finoos:\n\tbase_url: x\n", `jobs.yaml:2:1: a tab: YAML is indented by spaces only; write two for each level`},
		"an alias":       {"finoos:\n  client_secret: *hunter2\n", `jobs.yaml:2:18: is no YAML: an alias of nothing; quote a value that begins with *`},
		"a lost key":     {strings.Replace(minimal(), "client_secret: ", "- ", 1), ""},
		"no key at all":  {strings.Replace(minimal(), "client_secret: ", "", 1), ""},
		"a secret's key": {strings.Replace(minimal(), "client_secret: "+secret, "? "+secret+"\n  : x", 1), ""},
	} {
		got := problems(t, tc.text, env())
		if tc.want != "" && (len(got) != 1 || got[0] != tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestASingleMistakeInAJobIsSaid(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`concurrency: 0`:                                      `9:18: jobs.nightly.concurrency: "0" is too small: the least is 1`,
		`concurrency: 010`:                                    `9:18: jobs.nightly.concurrency: "010" is no whole number`,
		`concurrency: 1.5`:                                    `9:18: jobs.nightly.concurrency: "1.5" is no whole number`,
		`concurrency: -1`:                                     `9:18: jobs.nightly.concurrency: "-1" is no whole number`,
		`concurrency:`:                                        `9:17: jobs.nightly.concurrency: has no value: leave the line out for the default, or write ""`,
		`concurrency: ${`:                                     `9:18: jobs.nightly.concurrency: holds a "${" that begins no ${NAME} or ${NAME:-default}; write "$${" for a plain one`,
		`concurrency: ${SECRET}`:                              `9:18: jobs.nightly.concurrency: the value from SECRET is no whole number`,
		`max_gone: .nan`:                                      `9:15: jobs.nightly.max_gone: ".nan" is no number`,
		`max_gone: -0.1`:                                      `9:15: jobs.nightly.max_gone: "-0.1" is too small: the least is 0`,
		`deadline: 1d`:                                        `9:15: jobs.nightly.deadline: "1d" is no duration: days are written in hours, 7 days as 168h`,
		`deadline: -5h`:                                       `9:15: jobs.nightly.deadline: "-5h" is less than 1s: write a number and its unit, such as 90s, 15m or 168h`,
		`max_inflight_bytes: 5 MB!`:                           `9:25: jobs.nightly.max_inflight_bytes: "5 MB!" is no size: write a whole number and its unit, such as 64KiB, 128MiB or 1GiB`,
		`max_inflight_bytes: 1KiB`:                            `9:25: jobs.nightly.max_inflight_bytes: "1KiB" is too small: the least is 1MiB`,
		`max_inflight_bytes: 9999999TiB`:                      `9:25: jobs.nightly.max_inflight_bytes: "9999999TiB" is larger than any size can be`,
		`schedule: CRON_TZ=UTC`:                               `9:15: jobs.nightly.schedule: "CRON_TZ=UTC" holds a time zone: it belongs in the key timezone`,
		`schedule: 0 0 31 2 *`:                                `9:15: jobs.nightly.schedule: "0 0 31 2 *" names a day that never comes`,
		`timezone: Local`:                                     `9:15: jobs.nightly.timezone: "Local" is no time zone that is the same on every machine: write one such as Europe/Berlin, or UTC`,
		`mask: yes`:                                           `9:11: jobs.nightly.mask: must be a mapping: key: value lines below it`,
		`mask: {cards: {iban: drop}}`:                         `9:20: jobs.nightly.mask.cards.iban: there is no table "cards"`,
		`mask: {accounts: {ibans: drop}}`:                     `9:23: jobs.nightly.mask.accounts.ibans: the table accounts has no column "ibans"`,
		`mask: {all: {ibans: drop}}`:                          `9:18: jobs.nightly.mask.all.ibans: no table has a column "ibans"`,
		`mask: {accounts: {account_id: drop}}`:                `9:23: jobs.nightly.mask.accounts.account_id: account_id is a part of the key of accounts and cannot be dropped: write hmac`,
		`mask: {accounts: {balance: hmac}}`:                   `9:23: jobs.nightly.mask.accounts.balance: balance is a decimal(18,4) and has no hmac: drop it`,
		`mask: {accounts: {user_id: hmac}}`:                   `9:23: jobs.nightly.mask.accounts.user_id: user_id joins the tables: hide it in every table, below "all"`,
		`mask: {pulls: {mode: hmac}}`:                         `9:20: jobs.nightly.mask.pulls.mode: mode cannot be hidden: the current state is told by it`,
		`mask: {pulls: {_op: hmac}}`:                          `9:20: jobs.nightly.mask.pulls._op: _op cannot be hidden: the current state is told by it`,
		`mask: {contracts: {partner: hmac}}`:                  `9:24: jobs.nightly.mask.contracts.partner: partner is JSON: drop it, or hide a member, as in partner.name: hmac`,
		`mask: {contracts: {tags.x: drop}}`:                   `9:24: jobs.nightly.mask.contracts.tags.x: tags is no JSON column: only members of partner, attributes, _extra can be named with dots`,
		`mask: {accounts: {iban: hmac}}`:                      `9:11: jobs.nightly.mask: hmac needs a mask_key of 16 characters at least`,
		"mask_key: short\n    mask: {accounts: {iban: drop}}": `10:11: jobs.nightly.mask: mask_key has 5 characters, and seals nothing: it needs 16 at least (openssl rand -hex 32)`,
		`streams: users`:                                      `9:14: jobs.nightly.streams: must be a list: [users, …]`,
		`streams: []`:                                         `9:14: jobs.nightly.streams: names nothing: leave the line out for all of users, bank_logins, accounts, transactions, categorization, contracts, account_history`,
		`streams: [users, users]`:                             `9:22: jobs.nightly.streams: "users" is named twice`,
		`sync: never`:                                         `9:11: jobs.nightly.sync: must be a mapping: key: value lines below it`,
		`sync: {user_ip: 0.0.0.0}`:                            `9:21: jobs.nightly.sync.user_ip: "0.0.0.0" is no address that a host can have`,
		`failures: {retry_at_end: "true"}`:                    `9:30: jobs.nightly.failures.retry_at_end: must be true or false, without quotes`,
		`<<: {concurrency: 1}`:                                `9:5: jobs.nightly: merge keys (<<) are not supported: repeat the lines, or use an alias for a whole value`,
		`? [a]`:                                               `9:7: jobs.nightly: a key is expected here, of letters, digits, _ and -`,
		`probe: !secret each`:                                 `9:12: jobs.nightly.probe: must be a plain value without a tag`,
		`sync: {user_ip: "::ffff:127.0.0.1"}`: `9:21: jobs.nightly.sync.user_ip: "::ffff:127.0.0.1" is an address of this host or its network: ` +
			`the bank is told whose wish the synchronisation is, so write a public one`,
	} {
		want := []string{"jobs.yaml:" + want}
		if diff := cmp.Diff(want, problems(t, minimal(line), env("SECRET", secret))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", line, diff)
		}
	}
}

func TestASingleMistakeOutsideJobsIsSaid(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ replace, by, want string }{
		{"client_id: me", "client_id: 4711", `3:14: finoos.client_id: must be a text: put it in quotes`},
		{"client_id: me", `client_id: ""`, `3:14: finoos.client_id: is empty`},
		{"client_id: me", "client_id: ${EMPTY}", `3:14: finoos.client_id: is empty: so is EMPTY`},
		{"client_id: me", "client_id: me\n  client_id_file: x", `4:3: finoos.client_id_file: stands beside client_id: give one of the two`},
		{"client_secret: " + secret, `client_secret: "` + secret + `\n"`, `4:18: finoos.client_secret: the value holds a line end`},
		{"https://os.test.fino.cloud/api", "https://me:" + secret + "@os.fino.cloud", `2:13: finoos.base_url: the value holds a user or password: credentials belong in client_id and client_secret`},
		{"https://os.test.fino.cloud/api", "https://os.fino.cloud?a=b", `2:13: finoos.base_url: the value holds a query or fragment: write the address up to the path only`},
		{"file:///lake", "s3://me:" + secret + "@lake/x", `6:8: sink.url: the value holds a user or password: S3 credentials come from the environment, a profile or a role`},
		{"file:///lake", "s3:///x", `6:8: sink.url: the value names no bucket: write s3://bucket/prefix`},
		{"file:///lake", "file://lake/x", `6:8: sink.url: the value names no folder: write file:///folder, or file://./folder for a relative one`},
		{"file:///lake", "file:///lake\n  compression: zstd:23", `7:16: sink.compression: "zstd:23" is no compression: write zstd, zstd:1 to zstd:22, snappy or none`},
		{"file:///lake", "file://", `6:8: sink.url: the value names no folder: write file:///folder, or file://./folder for a relative one`},
		{"file:///lake", "s3://lake?regoin=eu-central-1", `6:8: sink.url: the value is an invalid store URL: unknown "regoin"; allowed are region, endpoint, path_style`},
		{"file:///lake", "s3://lake?endpoint=minio:9000", `6:8: sink.url: the value is an invalid store URL: endpoint= must be http://host:port or https://host:port and nothing more`},
		{"file:///lake", "file:///lake\n  sse: AES256", `7:8: sink.sse: is for an s3:// sink only`},
		{"file:///lake", "s3://lake\n  expected_bucket_owner: 4711", `7:26: sink.expected_bucket_owner: "4711" is no AWS account: it has 12 digits`},
		{"  nightly:\n", "", `7:6: jobs: names no job`},
		{"jobs:\n  nightly:\n", "", `1:1: jobs: is missing`},
	} {
		text := strings.Replace(minimal(), tc.replace, tc.by, 1)
		want := []string{"jobs.yaml:" + tc.want}
		getenv := env("EMPTY", "")
		if diff := cmp.Diff(want, problems(t, text, getenv)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.by, diff)
		}
	}
}

func TestTwoJobsCannotPullTheSameStream(t *testing.T) {
	t.Parallel()
	base := strings.TrimSuffix(minimal(), "  nightly:\n")
	got := problems(t, base+"  b: {streams: [users, contracts]}\n  a: {streams: [accounts, contracts]}\n  c:\n    concurrency: 1\n", nil)
	want := []string{
		`jobs.yaml:9:27: jobs.a.streams: contracts is pulled by jobs.b already, into the same sink`,
		`jobs.yaml:10:3: jobs.c.streams: a job without streams pulls all of them, but jobs.b pulls users already, into the same sink`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnAliasStandsForAWholeValue(t *testing.T) {
	t.Parallel()
	base := strings.TrimSuffix(minimal(), "  nightly:\n")
	cfg := parse(t, base+"  a: {streams: [users], sync: &s {when: always, user_ip: 203.0.113.7}}\n  b: {streams: [contracts], sync: *s}\n", nil)
	if diff := cmp.Diff(cfg.Jobs["a"].Sync, cfg.Jobs["b"].Sync, byValue); diff != "" || cfg.Jobs["b"].Sync.When != SyncAlways {
		t.Errorf("the alias was read differently: %s", diff)
	}
}

// An alias may stand within its own anchor: reading must end all the same.
func TestAnAliasOfItselfIsAnErrorNotALoop(t *testing.T) {
	t.Parallel()
	problems(t, "finoos: &a\n  retry: *a\n  paths: *a\nsink: *a\njobs: {nightly: {mask: *a}}\n", nil)
}

// The jobs of a map come in any order.
func TestOfTwoJobsInOneLineTheFirstKeepsItsStream(t *testing.T) {
	t.Parallel()
	for range 20 {
		got := problems(t, "finoos: {base_url: http://bank.test, client_id: a, client_secret: b}\nsink: {url: file:///lake}\n"+
			"jobs: {nightly: {streams: [users]}, other: {streams: [users]}}\n", env())
		if len(got) != 1 || !strings.Contains(got[0], "jobs.other.streams: users is pulled by jobs.nightly already") {
			t.Fatalf("got %q", got)
		}
	}
}

func TestScratchHoldsTheLargestAnswer(t *testing.T) {
	t.Parallel()
	const rest = `sink: {url: "file:///lake"}
jobs: {a: {}}
`
	const head = "finoos: {base_url: \"http://127.0.0.1:1\", client_id: me, client_secret: s, "
	for keys, refused := range map[string]bool{
		"max_scratch: 1MiB":                        true, // below the default
		"max_scratch: 1MiB, max_response: 1025KiB": true,
		"max_scratch: 1MiB, max_response: 1MiB":    false,
		"max_response: 4GiB":                       false, // the default grows with it
		"max_scratch: 300MiB":                      false,
	} {
		_, err := Parse("jobs.yaml", []byte(head+keys+"}\n"+rest), func(string) (string, bool) { return "", false })
		if (err != nil) != refused {
			t.Errorf("%s: %v", keys, err)
		}
	}
}
