package k8s

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// everyWayIsAccepted has the server admit every object, and the pod that comes of
// it: what is allowed in the namespace is asked of pods, not of what makes them.
func (w *world) everyWayIsAccepted(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		for _, components := range [][]string{{}, {"irsa"}, {"static-keys"}, {"s3-endpoint"}, {"irsa", "static-keys", "s3-endpoint"}} {
			t.Run(way+" "+strings.Join(components, " "), func(t *testing.T) {
				t.Parallel()
				accepted := 0
				for _, o := range objects(t, way, components...) {
					if err := w.apply(t.Context(), o, yamlOf(t, o), only); err != nil {
						t.Error(err)
					}
					accepted++
				}
				if accepted < 5 {
					t.Errorf("only %d objects", accepted)
				}
				if err := w.admit(t, podFrom(t, way, components...)); err != nil {
					t.Errorf("its pod: %v", err)
				}
			})
		}
	}
}

// podFrom is the pod that comes of a way.
func podFrom(t *testing.T, way string, components ...string) *corev1.Pod {
	t.Helper()
	template := templateOf(t, render(t, way, components...))
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name = "tried"
	return pod
}

// admit asks whether a pod may be.
func (w *world) admit(t *testing.T, pod *corev1.Pod) error {
	t.Helper()
	return w.create(t.Context(), "Pod", namespace, pod, nil, only)
}

// whatIsWrongIsRefused shows that being accepted means something.
func (w *world) whatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	yes := true
	for wrong, spoil := range map[string]func(*corev1.PodSpec){
		"root":               func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = nil },
		"a capability":       func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.Capabilities.Drop = nil },
		"escalation":         func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.AllowPrivilegeEscalation = &yes },
		"no seccomp profile": func(p *corev1.PodSpec) { p.SecurityContext.SeccompProfile = nil },
		"a folder of the node's": func(p *corev1.PodSpec) {
			p.Volumes[2].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		},
		"an account that is not": func(p *corev1.PodSpec) { p.ServiceAccountName = "nobody" },
	} {
		for _, way := range ways {
			pod := podFrom(t, way)
			spoil(&pod.Spec)
			wantRefused(t, way+": a pod with "+wrong, http.StatusForbidden, w.admit(t, pod))
		}
	}
	for _, o := range objects(t, "nightly") {
		if o.GetKind() != "CronJob" {
			continue
		}
		for wrong, change := range map[string][3]string{
			"an unknown field":                   {"400", "concurrencyPolicy:", "concurrencyPolice:"},
			"a field in the wrong place":         {"400", "enableServiceLinks: false", "capabilities: {drop: [ALL]}"},
			"a schedule that never is":           {"422", "30 2 * * *", "30 25 * * *"},
			"a time zone that is not":            {"422", "Europe/Berlin", "Europe/Bielefeld"},
			"an index's failure without indexes": {"422", "completionMode: Indexed", "completionMode: NonIndexed"},
			"restarts that hide exit codes":      {"422", "restartPolicy: Never", "restartPolicy: OnFailure"},
		} {
			text, err := yaml.YAMLToJSON([]byte(edited(t, yamlOf(t, o), change[1], change[2], "name: syncer-nightly", "name: tried")))
			if err != nil {
				t.Fatal(err)
			}
			code, _ := strconv.Atoi(change[0])
			wantRefused(t, wrong, code, w.create(t.Context(), "CronJob", namespace, text, nil, only))
		}
	}
}

func wantRefused(t *testing.T, what string, code int, err error) {
	t.Helper()
	if r, ok := errors.AsType[*refused](err); !ok || r.code != code {
		t.Errorf("%s: %v, want %d", what, err, code)
	}
}
