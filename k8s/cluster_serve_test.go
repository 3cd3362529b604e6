package k8s

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// serveIsReplaced rolls the Deployment over: the old process ends by SIGTERM, in
// time, before the new one begins. Both really run, and their probes are asked.
func (w *world) serveIsReplaced(t *testing.T) {
	t.Parallel()
	var (
		atWork, most atomic.Int64
		first        atomic.Pointer[process]
	)
	w.node.plan("serve", func(pod *corev1.Pod) (container, error) {
		p, err := w.site.run(w.client, pod)
		if err != nil {
			return nil, err
		}
		most.Store(max(most.Load(), atWork.Add(1)))
		first.CompareAndSwap(nil, p)
		return &counted{p, &atWork, false}, nil
	})
	for _, o := range objects(t, "serve") {
		if kind := o.GetKind(); kind == "Deployment" || kind == "Service" || (kind == "NetworkPolicy" && o.GetName() == "syncer-serve") {
			w.put(t, o, yamlOf(t, o))
		}
	}
	w.available(t, 1)
	w.serves(t)
	again := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"kubectl.kubernetes.io/restartedAt": time.Now().Format(time.RFC3339)},
	}}}}
	if err := w.do(t.Context(), http.MethodPatch, at("Deployment", namespace, "syncer-serve"), again, nil); err != nil {
		t.Fatal(err)
	}
	w.available(t, 2)
	if n := len(w.node.started("serve")); n != 2 || most.Load() != 1 {
		t.Errorf("%d pods, %d at once", n, most.Load())
	}
	if code, ended := first.Load().ended(); !ended || code != 143 {
		t.Errorf("the first ended (%t) with %d, want 143", ended, code)
	}
}

// counted is a process that is counted while it runs.
type counted struct {
	*process
	atWork *atomic.Int64
	over   bool
}

func (c *counted) ended() (int, bool) {
	code, ended := c.process.ended()
	if ended && !c.over {
		c.over = true
		c.atWork.Add(-1)
	}
	return code, ended
}

// available waits until a rollout is done.
func (w *world) available(t *testing.T, generation int64) {
	t.Helper()
	await(t, fmt.Sprintf("rollout %d", generation), patience, func() error {
		var d appsv1.Deployment
		if err := w.do(t.Context(), http.MethodGet, at("Deployment", namespace, "syncer-serve"), nil, &d); err != nil {
			return err
		}
		if s := d.Status; s.ObservedGeneration < generation || s.UpdatedReplicas != 1 || s.AvailableReplicas != 1 || s.Replicas != 1 {
			return fmt.Errorf("status %+v", s)
		}
		return nil
	})
}

// serves waits for the service to find the pod, and no pod of a Job.
func (w *world) serves(t *testing.T) {
	t.Helper()
	await(t, "the service to find its pod", patience, func() error {
		var found discoveryv1.EndpointSliceList
		if err := w.do(t.Context(), http.MethodGet, at("EndpointSlice", namespace), nil, &found); err != nil {
			return err
		}
		var names []string
		for _, s := range found.Items {
			for _, e := range s.Endpoints {
				names = append(names, e.TargetRef.Name)
			}
			if len(s.Ports) != 1 || *s.Ports[0].Port != 8080 {
				return fmt.Errorf("ports %+v", s.Ports)
			}
		}
		if len(names) != 1 || !slices.ContainsFunc(w.node.started("serve"), func(p *corev1.Pod) bool { return p.Name == names[0] }) {
			return fmt.Errorf("it finds %q", names)
		}
		return nil
	})
}
