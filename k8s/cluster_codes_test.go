package k8s

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// consequence is what the cluster does about an exit code.
type consequence string

const (
	completes consequence = "completes"
	tries     consequence = "tries again"
	failsOne  consequence = "gives the index up" // and no other
	failsAll  consequence = "ends the Job"
)

// consequences are what the manifests promise, by what the binary says of its
// codes (and by the codes that a kill leaves).
var consequences = []struct {
	meaning         string
	night, backfill consequence
}{
	{"all done", completes, completes},
	{"unexpected error", tries, tries},
	{"a crash", tries, tries},
	{"usage or configuration", failsAll, failsAll},
	{"done, but more users failed", failsOne, tries},
	{"credentials or scopes refused", failsAll, failsAll},
	{"sink refused", tries, tries},
	{"API down", tries, tries},
	{"another run is at work", failsOne, failsAll},
	{"all within reach is done", failsOne, failsAll},
	{"stopped by SIGINT, SIGTERM", tries, tries},
	{"killed", tries, tries},
}

// codes asks the binary which codes it has.
func (w *world) codes(t *testing.T) map[int]string {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), w.binary, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(help), "Exit codes:\n")
	table, _, _ = strings.Cut(table, "\n\n")
	found := map[int]string{128 + int(syscall.SIGKILL): "killed"}
	for _, row := range regexp.MustCompile(`(?m)^  ([0-9, ]+?)  +(\S.*)$`).FindAllStringSubmatch(table, -1) {
		for text := range strings.SplitSeq(row[1], ", ") {
			code, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				t.Fatalf("%q: %v", row[0], err)
			}
			found[code] = row[2]
		}
	}
	if len(found) != 13 {
		t.Errorf("exit codes %v", found)
	}
	return found
}

func (w *world) exitCodesOfANight(t *testing.T) {
	t.Parallel()
	spec := jobOf(t, render(t, "nightly"))
	tried := 1 + int(*spec.BackoffLimitPerIndex)
	w.each(t, func(t *testing.T, code int, night, _ consequence) {
		t.Helper()
		job := fmt.Sprintf("night-%03d", code)
		w.node.plan(job, func(pod *corev1.Pod) (container, error) {
			switch {
			case indexOf(pod) == "0":
				return script(code), nil
			case night == failsAll:
				return script(runsOn), nil // to be ended
			}
			return script(0), nil
		})
		w.start(t, job, spec)
		end, done := w.outcome(t, job)
		pods, others := len(w.shard(job, "0")), fmt.Sprintf("1-%d", *spec.Completions-1)
		got := fmt.Sprint(end.Type, " ", end.Reason, ": ", pods, " pods, failed ", indexes(done.Status.FailedIndexes), ", done ", done.Status.CompletedIndexes)
		want := map[consequence]string{
			completes: fmt.Sprint("Complete CompletionsReached: 1 pods, failed none, done 0-", *spec.Completions-1),
			tries:     fmt.Sprint("Failed FailedIndexes: ", tried, " pods, failed 0, done ", others),
			failsOne:  fmt.Sprint("Failed FailedIndexes: 1 pods, failed 0, done ", others),
			failsAll:  "Failed PodFailurePolicy: 1 pods, failed none, done ",
		}[night]
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// indexes are those that failed.
func indexes(list *string) string {
	if list == nil || *list == "" {
		return "none"
	}
	return *list
}

func (w *world) exitCodesOfABackfill(t *testing.T) {
	t.Parallel()
	spec := jobOf(t, render(t, "backfill"))
	w.each(t, func(t *testing.T, code int, _, backfill consequence) {
		t.Helper()
		job := fmt.Sprintf("backfill-%03d", code)
		w.node.plan(job, func(*corev1.Pod) (container, error) { return script(code), nil })
		w.start(t, job, spec)
		end, _ := w.outcome(t, job)
		got := fmt.Sprint(end.Type, " ", end.Reason, ": ", len(w.node.started(job)), " pods")
		want := map[consequence]string{
			completes: "Complete CompletionsReached: 1 pods",
			tries:     fmt.Sprint("Failed ", batchv1.JobReasonBackoffLimitExceeded, ": ", 1+*spec.BackoffLimit, " pods"),
			failsAll:  "Failed PodFailurePolicy: 1 pods",
		}[backfill]
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// each tests every exit code that the binary has.
func (w *world) each(t *testing.T, test func(t *testing.T, code int, night, backfill consequence)) {
	t.Helper()
	for code, meaning := range w.codes(t) {
		known := false
		for _, c := range consequences {
			if !strings.HasPrefix(meaning, c.meaning) {
				continue
			}
			known = true
			t.Run(fmt.Sprintf("%d %s", code, c.meaning), func(t *testing.T) { t.Parallel(); test(t, code, c.night, c.backfill) })
		}
		if !known {
			t.Errorf("nobody has said what the cluster does about %d, %s", code, meaning)
		}
	}
}
