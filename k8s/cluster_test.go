package k8s

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/resource"
)

const namespace = "syncer"

// world is what the tests on a cluster share.
type world struct {
	*cluster
	node   *kubelet
	binary string
	site   *site
}

// The API server says what a cluster would say, controllers and scheduler do what
// they do in one. Only the node is the tests' own.
//
//nolint:paralleltest // each of them says so itself
func TestOnAKubernetesControlPlane(t *testing.T) {
	t.Parallel()
	if !*onCluster {
		t.Skip("needs a control plane: make test-k8s")
	}
	w := &world{binary: built(t)}
	w.site = newSite(t, w.binary)
	w.cluster = startCluster(t)
	w.node = startKubelet(t, w.client)
	w.settle(t)
	t.Run("every way is accepted, its pods too, with every component", w.everyWayIsAccepted)
	t.Run("what is wrong is refused", w.whatIsWrongIsRefused)
	t.Run("the schedule makes a Job with a process for each shard", w.theScheduleMakesShards)
	t.Run("exit codes of a night end it, fail an index, or are tried again", w.exitCodesOfANight)
	t.Run("exit codes of a backfill end it, or are tried again", w.exitCodesOfABackfill)
	t.Run("disruptions do not count", w.disruptionsDoNotCount)
	t.Run("a hung run is ended by the deadline, and cleared away later", w.hungRunsEnd)
	t.Run("serve is replaced, never doubled, and found by its service", w.serveIsReplaced)
}

// settle puts what all ways share into the cluster, for good.
func (w *world) settle(t *testing.T) {
	t.Helper()
	for _, o := range objects(t, "nightly") {
		switch o.GetKind() {
		case "Namespace", "ServiceAccount", "NetworkPolicy":
			w.put(t, o, yamlOf(t, o))
		case "ConfigMap":
			w.put(t, o, w.site.configure(t, yamlOf(t, o)))
		}
	}
	secret := corev1.Secret{StringData: map[string]string{"client_id": "sandbox", "client_secret": "sandbox"}}
	secret.Name = "syncer-credentials"
	if err := w.create(t.Context(), "Secret", namespace, secret, nil, strictly); err != nil {
		t.Fatal(err)
	}
}

func yamlOf(t *testing.T, o *resource.Resource) string {
	t.Helper()
	text, err := o.AsYAML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited replaces what is there exactly once.
func edited(t *testing.T, text string, changes ...string) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		if n := strings.Count(text, changes[i]); n != 1 {
			t.Fatalf("%d times %q in\n%s", n, changes[i], text)
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

// put applies an object for good.
func (w *world) put(t *testing.T, o *resource.Resource, text string) {
	t.Helper()
	if err := w.apply(t.Context(), o, text, strictly); err != nil {
		t.Fatal(err)
	}
}

// start makes a Job by the given name, as kubectl create job --from does.
func (w *world) start(t *testing.T, name string, spec *batchv1.JobSpec) {
	t.Helper()
	job := batchv1.Job{Spec: *spec}
	job.Name = name
	if err := w.create(t.Context(), "Job", namespace, job, nil, strictly); err != nil {
		t.Fatal(err)
	}
}

func (w *world) job(ctx context.Context, name string) (job *batchv1.Job, err error) {
	job = &batchv1.Job{}
	return job, w.do(ctx, http.MethodGet, at("Job", namespace, name), nil, job)
}

var errNotYet = errors.New("not yet")

// outcome waits for the end of a Job: its last condition, and the Job.
func (w *world) outcome(t *testing.T, name string) (batchv1.JobCondition, *batchv1.Job) {
	t.Helper()
	var (
		last  batchv1.JobCondition
		found *batchv1.Job
	)
	await(t, "the end of "+name, patience, func() error {
		job, err := w.job(t.Context(), name)
		if err != nil {
			return err
		}
		for _, c := range job.Status.Conditions {
			if c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed {
				last, found = c, job
				return nil
			}
		}
		return errNotYet
	})
	return last, found
}
