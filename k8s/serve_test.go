package k8s

import (
	"maps"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestTheServiceIsOneProcessThatIsWatched(t *testing.T) {
	t.Parallel()
	m := render(t, "serve")
	d, service := m.Deployments[0].Spec, m.Services[0].Spec
	c := d.Template.Spec.Containers[0]
	if len(c.Ports) != 1 || c.Ports[0].ContainerPort != 8080 || c.Ports[0].Name != "http" {
		t.Fatalf("ports %+v", c.Ports)
	}
	asks := func(p *corev1.Probe, path string) bool {
		return p.HTTPGet != nil && p.HTTPGet.Path == path && p.HTTPGet.Port.String() == c.Ports[0].Name
	}
	own := map[string]string{"app.kubernetes.io/component": "serve"}
	for claim, ok := range map[string]bool{
		"one of it":                          *d.Replicas == 1,
		"never two at once":                  d.Strategy.Type == appsv1.RecreateDeploymentStrategyType,
		"the command, on the declared port":  slices.Equal(c.Args, []string{"serve", "--config", "/etc/syncer/jobs.yaml", "--listen", ":8080", "--log-format", "json"}),
		"alive is /healthz":                  asks(c.LivenessProbe, "/healthz"),
		"ready is /readyz":                   asks(c.ReadinessProbe, "/readyz"),
		"it takes no pod of a Job for its":   maps.Equal(d.Selector.MatchLabels, own),
		"the service finds the same pods":    maps.Equal(service.Selector, own) && d.Template.Labels["app.kubernetes.io/component"] == "serve",
		"the service finds the port by name": len(service.Ports) == 1 && service.Ports[0].TargetPort.String() == c.Ports[0].Name,
		"metrics while it starts and stops":  service.PublishNotReadyAddresses,
	} {
		if !ok {
			t.Errorf("not so: %s", claim)
		}
	}
}

// What the base closes stays closed, but for one port, to one namespace.
func TestOnlyPrometheusMayCallTheService(t *testing.T) {
	t.Parallel()
	opened := 0
	for _, p := range render(t, "serve").Policies {
		for _, rule := range p.Spec.Ingress {
			opened++
			if len(rule.Ports) != 1 || rule.Ports[0].Port.IntValue() != 8080 ||
				len(rule.From) != 1 || rule.From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" ||
				p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] != "serve" {
				t.Errorf("%s lets in %+v", p.Name, rule)
			}
		}
		if len(p.Spec.Ingress) == 0 && p.Name != "syncer" {
			t.Errorf("%s opens nothing", p.Name)
		}
	}
	if opened != 1 {
		t.Errorf("%d ways in", opened)
	}
}
