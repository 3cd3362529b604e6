package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReferencesAreReplacedAsInAShell(t *testing.T) {
	t.Parallel()
	getenv := env("A", "x", "EMPTY", "", "NESTED", "${A}")
	for text, want := range map[string]string{
		"plain":              "plain",
		"a $ and $A":         "a $ and $A",
		"${A}":               "x",
		"<${A}${A}>":         "<xx>",
		"${A:-d}":            "x",
		"${EMPTY}":           "",
		"${EMPTY:-d}":        "d",
		"${NONE:-}":          "",
		"${NONE:-a:-b/${A}":  "a:-b/${A",
		"$${A}":              "${A}",
		"$$${A}":             "$${A}",
		"$${A}${A}":          "${A}x",
		"${NESTED}":          "${A}",
		"s3://${A}/y?z=${A}": "s3://x/y?z=x",
	} {
		got, err := expand(text, getenv)
		if err != nil || got.text != want || got.missing != nil {
			t.Errorf("%s: got %q, missing %v, %v; want %q", text, got.text, got.missing, err, want)
		}
	}
}

func TestAReferenceThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"${", "${}", "${A", "${1A}", "${A-d}", "${A:?no}", "${ A }", "x${é}"} {
		if got, err := expand(text, env()); err == nil {
			t.Errorf("%s: got %q and no error", text, got.text)
		}
	}
}

func TestMissingVariablesAreNamedAllOfThem(t *testing.T) {
	t.Parallel()
	text := strings.Replace(minimal("concurrency: ${N}"), "file:///lake", "file:///${A}/${B}/${C:-c}", 1)
	want := []string{
		`jobs.yaml:6:8: sink.url: environment variable A is not set: set it, or write ${A:-default}`,
		`jobs.yaml:6:8: sink.url: environment variable B is not set: set it, or write ${B:-default}`,
		`jobs.yaml:9:18: jobs.nightly.concurrency: environment variable N is not set: set it, or write ${N:-default}`,
	}
	if diff := cmp.Diff(want, problems(t, text, env())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReferencesWorkInValuesOfEveryType(t *testing.T) {
	t.Parallel()
	cfg := parse(t, minimal("concurrency: ${N}", `deadline: "${D:-2h}"`, "failures: {retry_at_end: '${B}', max_ratio: '${R:-0.1}'}",
		"streams: ['${S}', users]", "sync: {when: always, user_ip: '${IP:-}'}"), env("N", "7", "B", "false", "S", "contracts"))
	job := cfg.Jobs["nightly"]
	if job.Concurrency != 7 || job.Deadline.Hours() != 2 || job.Failures.RetryAtEnd || job.Failures.MaxRatio != 0.1 ||
		job.Streams[0] != StreamContracts || job.Sync.UserIP.IsValid() || job.Sync.When != SyncNever {
		t.Errorf("got %+v", job)
	}
}
