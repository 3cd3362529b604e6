package k8s

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// theScheduleMakesShards lets a night come: a scheduled time of ten minutes ago
// that was missed, which startingDeadlineSeconds still allows, by the clock of
// timeZone. The shards really run, against a simulated API, and one of them is
// evicted while it does.
func (w *world) theScheduleMakesShards(t *testing.T) {
	t.Parallel()
	const name = "syncer-nightly"
	shards := int(*jobOf(t, render(t, "nightly")).Completions)
	w.node.plan(name, func(pod *corev1.Pod) (container, error) { return w.site.run(w.client, pod) })
	due := berlin(t, time.Now().Add(-10*time.Minute).Truncate(time.Minute))
	for _, o := range objects(t, "nightly") {
		if o.GetKind() == "CronJob" {
			w.put(t, o, edited(t, yamlOf(t, o), "30 2 * * *", fmt.Sprintf("%d %d * * *", due.Minute(), due.Hour())))
		}
	}
	before := map[string]any{"status": map[string]any{"lastScheduleTime": due.AddDate(0, 0, -1).UTC().Format(time.RFC3339)}}
	if err := w.do(t.Context(), http.MethodPatch, at("CronJob", namespace, name, "status"), before, nil); err != nil {
		t.Fatal(err)
	}
	var night batchv1.Job
	await(t, "a Job", patience, func() error {
		var found batchv1.JobList
		if err := w.do(t.Context(), http.MethodGet, at("Job", namespace), nil, &found); err != nil {
			return err
		}
		for _, job := range found.Items {
			if len(job.OwnerReferences) == 1 && job.OwnerReferences[0].Name == name {
				night = job
				return nil
			}
		}
		return errNotYet
	})
	if got, want := night.Annotations[batchv1.CronJobScheduledTimestampAnnotation], due.Format(time.RFC3339); got != want {
		t.Errorf("scheduled for %s, want %s", got, want)
	}
	w.evict(t, night.Name, "1")
	end, done := w.outcome(t, night.Name)
	if end.Type != batchv1.JobComplete || done.Status.CompletedIndexes != fmt.Sprintf("0-%d", shards-1) {
		t.Errorf("%s: %s, indexes %s", end.Type, end.Message, done.Status.CompletedIndexes)
	}
	pods := w.node.started(name)
	if len(pods) != shards+1 || len(w.shard(night.Name, "1")) != 2 {
		t.Errorf("%d pods for %d shards, one of which was evicted", len(pods), shards)
	}
	for index := range shards {
		want := []string{"JOB_COMPLETION_INDEX=" + strconv.Itoa(index), "SYNCER_SHARDS=" + strconv.Itoa(shards), "SYNCER_RUN_GROUP=" + night.Name}
		if !slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return hasEnvironment(pod, want) }) {
			t.Errorf("no pod has %q", want)
		}
	}
	w.verify(t, pods[0])
}

func hasEnvironment(pod *corev1.Pod, want []string) bool {
	env, err := environment(pod)
	return err == nil && !slices.ContainsFunc(want, func(v string) bool { return !slices.Contains(env, v) })
}

// verify reads back what the shards have left.
func (w *world) verify(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	config := filepath.Join(w.site.dir, pod.Name, "etc", "syncer", "jobs.yaml")
	said, err := exec.CommandContext(t.Context(), w.binary, "verify", "nightly", "--config", config).CombinedOutput()
	if err != nil {
		t.Errorf("verify: %v\n%s", err, said)
	}
	files, err := filepath.Glob(filepath.Join(w.site.lake, "users", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Errorf("no users in the lake: %v", err)
	}
}

// disruptionsDoNotCount evicts a shard more often than it may fail.
func (w *world) disruptionsDoNotCount(t *testing.T) {
	t.Parallel()
	const name = "evicted"
	spec := jobOf(t, render(t, "nightly"))
	often := int(*spec.BackoffLimitPerIndex) + 2
	w.node.plan(name, func(pod *corev1.Pod) (container, error) {
		if indexOf(pod) != "0" || len(w.shard(name, "0")) > often {
			return script(0), nil
		}
		return script(runsOn), nil
	})
	w.start(t, name, spec)
	for n := 1; n <= often; n++ {
		w.evict(t, name, "0")
		await(t, "the next pod", patience, func() error {
			if len(w.shard(name, "0")) <= n {
				return errNotYet
			}
			return nil
		})
	}
	if end, _ := w.outcome(t, name); end.Type != batchv1.JobComplete {
		t.Errorf("%d disruptions: %s: %s", often, end.Type, end.Message)
	}
}

// evict has a shard's pod taken from its node, as a drain does.
func (w *world) evict(t *testing.T, job, index string) {
	t.Helper()
	await(t, "a pod to evict", patience, func() error {
		for _, pod := range w.shard(job, index) {
			if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
				eviction := map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": pod.Name, "namespace": namespace}}
				return w.do(t.Context(), http.MethodPost, at("Pod", namespace, pod.Name, "eviction"), eviction, nil)
			}
		}
		return errNotYet
	})
}

// shard are the pods that there were of an index.
func (w *world) shard(job, index string) []*corev1.Pod {
	return slices.DeleteFunc(w.node.started(job), func(pod *corev1.Pod) bool { return indexOf(pod) != index })
}

func indexOf(pod *corev1.Pod) string { return pod.Labels[batchv1.JobCompletionIndexAnnotation] }

// hungRunsEnd ends a run by its deadline, and clears it away after its time. Both
// come sooner than the manifests say, which is the one change to them.
func (w *world) hungRunsEnd(t *testing.T) {
	t.Parallel()
	const name = "hung"
	w.node.plan(name, func(*corev1.Pod) (container, error) { return script(runsOn), nil })
	spec := jobOf(t, render(t, "nightly"))
	w.start(t, name, spec)
	await(t, "all shards at work", patience, func() error {
		if len(w.node.started(name)) < int(*spec.Parallelism) {
			return errNotYet
		}
		return nil
	})
	w.change(t, name, map[string]any{"activeDeadlineSeconds": 1})
	end, job := w.outcome(t, name)
	if end.Type != batchv1.JobFailed || end.Reason != batchv1.JobReasonDeadlineExceeded || job.Status.Active != 0 {
		t.Errorf("%s: %s, %d pods at work", end.Type, end.Reason, job.Status.Active)
	}
	if *job.Spec.TTLSecondsAfterFinished < 24*3600 {
		t.Errorf("it is there for %d s: too short to be looked at", *job.Spec.TTLSecondsAfterFinished)
	}
	w.change(t, name, map[string]any{"ttlSecondsAfterFinished": 0})
	await(t, "the Job to be cleared away", patience, func() error {
		if _, err := w.job(t.Context(), name); !absent(err) {
			return errNotYet
		}
		return nil
	})
}

func (w *world) change(t *testing.T, job string, spec map[string]any) {
	t.Helper()
	if err := w.do(t.Context(), http.MethodPatch, at("Job", namespace, job), map[string]any{"spec": spec}, nil); err != nil {
		t.Fatal(err)
	}
}
