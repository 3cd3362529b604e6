package k8s

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

const nodeName = "node"

// container is what a node runs for a pod.
type container interface {
	ready() bool
	// ended says with which exit code, once it has.
	ended() (code int, ok bool)
	// terminate is SIGTERM. It may be called again.
	terminate()
}

// kubelet is the cluster's only node. It takes the pods that the scheduler gives
// it, runs what the test has planned for their Job or Deployment, and says what
// became of them, as the program of that name does.
type kubelet struct {
	*client
	t *testing.T

	mu    sync.Mutex
	plans map[string]func(*corev1.Pod) (container, error)
	pods  map[types.UID]*corev1.Pod // every one that there was, as it was seen last

	containers map[types.UID]container // those at work; of the loop alone
}

func startKubelet(t *testing.T, c *client) *kubelet {
	t.Helper()
	k := &kubelet{
		client: c, t: t, plans: map[string]func(*corev1.Pod) (container, error){},
		pods: map[types.UID]*corev1.Pod{}, containers: map[types.UID]container{},
	}
	node := map[string]any{"metadata": map[string]any{"name": nodeName, "labels": map[string]string{corev1.LabelHostname: nodeName}}}
	if err := c.do(t.Context(), http.MethodPost, "/api/v1/nodes", node, nil); err != nil {
		t.Fatal(err)
	}
	room := map[string]string{"cpu": "100", "memory": "200Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
	status := map[string]any{"status": map[string]any{
		"capacity": room, "allocatable": room, "conditions": []any{map[string]any{"type": "Ready", "status": "True", "reason": "KubeletReady"}},
	}}
	if err := c.do(t.Context(), http.MethodPatch, "/api/v1/nodes/"+nodeName+"/status", status, nil); err != nil {
		t.Fatal(err)
	}
	var loop sync.WaitGroup
	loop.Go(func() { k.loop(t.Context()) })
	t.Cleanup(loop.Wait) // the context has ended by then
	return k
}

// plan says what is run for the pods of a Job, a CronJob, or a component.
func (k *kubelet) plan(workload string, start func(*corev1.Pod) (container, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.plans[workload] = start
}

// started are the pods that there were of a Job, of a CronJob's Jobs, or of a component.
func (k *kubelet) started(workload string) (found []*corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pod := range k.pods {
		if job, cron := workloadOf(pod); job == workload || cron == workload {
			found = append(found, pod)
		}
	}
	return found
}

// workloadOf is the Job of a pod, and the CronJob that its name comes from; or
// the component it belongs to.
func workloadOf(pod *corev1.Pod) (job, cron string) {
	job, ok := pod.Labels[batchv1.JobNameLabel]
	if !ok {
		return pod.Labels["app.kubernetes.io/component"], ""
	}
	if cut := strings.LastIndex(job, "-"); cut > 0 {
		cron = job[:cut]
	}
	return job, cron
}

func (k *kubelet) loop(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			for _, c := range k.containers {
				c.terminate()
			}
			return
		}
		var pods corev1.PodList
		err := k.do(ctx, http.MethodGet, at("Pod", "")+"?fieldSelector=spec.nodeName="+nodeName, nil, &pods)
		for i := 0; err == nil && i < len(pods.Items); i++ {
			if err = k.step(ctx, &pods.Items[i]); absent(err) {
				err = nil // it was removed meanwhile
			}
		}
		if err != nil && ctx.Err() == nil {
			k.t.Errorf("the node: %v", err)
		}
	}
}

// step brings one pod on.
func (k *kubelet) step(ctx context.Context, pod *corev1.Pod) error {
	k.mu.Lock()
	k.pods[pod.UID] = pod
	k.mu.Unlock()
	c, begun := k.containers[pod.UID]
	switch {
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		delete(k.containers, pod.UID)
		if pod.DeletionTimestamp == nil {
			return nil
		}
		return k.do(ctx, http.MethodDelete, at("Pod", pod.Namespace, pod.Name), map[string]any{"gracePeriodSeconds": 0}, nil)
	case !begun && pod.DeletionTimestamp != nil:
		return k.say(ctx, pod, map[string]any{"phase": corev1.PodFailed})
	case !begun:
		return k.begin(ctx, pod)
	case pod.DeletionTimestamp != nil:
		c.terminate()
	}
	if code, ended := c.ended(); ended {
		return k.say(ctx, pod, ending(pod, code))
	}
	if isReady(pod) == c.ready() {
		return nil
	}
	return k.say(ctx, pod, running(pod, c.ready()))
}

// begin starts a pod's container.
func (k *kubelet) begin(ctx context.Context, pod *corev1.Pod) error {
	job, cron := workloadOf(pod)
	k.mu.Lock()
	start := k.plans[job]
	if start == nil {
		start = k.plans[cron]
	}
	k.mu.Unlock()
	if start == nil {
		return errors.New("nothing is planned for " + pod.Name)
	}
	c, err := start(pod)
	if err != nil {
		return err
	}
	k.containers[pod.UID] = c
	return k.say(ctx, pod, running(pod, c.ready()))
}

// say sets what a pod's status says.
func (k *kubelet) say(ctx context.Context, pod *corev1.Pod, status map[string]any) error {
	return k.do(ctx, http.MethodPatch, at("Pod", pod.Namespace, pod.Name, "status"), map[string]any{"status": status}, nil)
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func running(pod *corev1.Pod, ready bool) map[string]any {
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	const ip = "10.1.0.7"
	return map[string]any{
		"phase": corev1.PodRunning, "podIP": ip, "podIPs": []any{map[string]any{"ip": ip}},
		"conditions": []any{readiness(ready)}, "containerStatuses": statuses(pod, state, ready),
	}
}

// ending is the status of a pod whose container has ended: an hour ago, or the
// cluster would wait for minutes before it tries again.
func ending(pod *corev1.Pod, code int) map[string]any {
	phase, reason, end := corev1.PodSucceeded, "Completed", metav1.NewTime(time.Now().Add(-time.Hour))
	if code != 0 {
		phase, reason = corev1.PodFailed, "Error"
	}
	state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: int32(code), Reason: reason, StartedAt: end, FinishedAt: end,
	}}
	return map[string]any{"phase": phase, "conditions": []any{readiness(false)}, "containerStatuses": statuses(pod, state, false)}
}

func readiness(ready bool) map[string]any {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return map[string]any{"type": corev1.PodReady, "status": status}
}

func statuses(pod *corev1.Pod, state corev1.ContainerState, ready bool) []corev1.ContainerStatus {
	c := pod.Spec.Containers[0]
	return []corev1.ContainerStatus{{Name: c.Name, Image: c.Image, State: state, Ready: ready}}
}

// scripted is a container that ends with a code, or runs until it is terminated.
type scripted struct{ code int }

// runsOn is the code of one that does not end by itself.
const runsOn = -1

func script(code int) *scripted { return &scripted{code: code} }

func (s *scripted) ready() bool        { return true }
func (s *scripted) ended() (int, bool) { return s.code, s.code != runsOn }

func (s *scripted) terminate() {
	if s.code == runsOn {
		s.code = 143
	}
}
