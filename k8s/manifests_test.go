package k8s

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// ways are how syncer can be run; each is a kustomization of its own.
var ways = []string{"nightly", "backfill", "serve"}

// manifests are the rendered objects of one way, decoded without tolerance.
type manifests struct {
	CronJobs        []*batchv1.CronJob
	Jobs            []*batchv1.Job
	Deployments     []*appsv1.Deployment
	Services        []*corev1.Service
	ConfigMaps      []*corev1.ConfigMap
	ServiceAccounts []*corev1.ServiceAccount
	Namespaces      []*corev1.Namespace
	Policies        []*networkingv1.NetworkPolicy
}

// render builds a kustomization, with components on top, and decodes every
// object into its type: a field that the API does not have is an error.
func render(t *testing.T, way string, components ...string) *manifests {
	t.Helper()
	m := &manifests{}
	for _, o := range objects(t, way, components...) {
		text, err := o.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.decode(o.GetKind(), text); err != nil {
			t.Errorf("%s: %s %s: %v\n%s", way, o.GetKind(), o.GetName(), err, text)
		}
	}
	return m
}

// objects are what a kustomization builds, with components on top.
func objects(t *testing.T, way string, components ...string) []*resource.Resource {
	t.Helper()
	fs := filesys.MakeFsOnDisk()
	dir := way
	if len(components) > 0 {
		dir = overlay(t, fs, way, components)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		t.Fatalf("render %s: %v", way, err)
	}
	return built.Resources()
}

func (m *manifests) decode(kind string, text []byte) error {
	switch kind {
	case "CronJob":
		return strict(text, &m.CronJobs)
	case "Job":
		return strict(text, &m.Jobs)
	case "Deployment":
		return strict(text, &m.Deployments)
	case "Service":
		return strict(text, &m.Services)
	case "ConfigMap":
		return strict(text, &m.ConfigMaps)
	case "ServiceAccount":
		return strict(text, &m.ServiceAccounts)
	case "Namespace":
		return strict(text, &m.Namespaces)
	case "NetworkPolicy":
		return strict(text, &m.Policies)
	}
	return fmt.Errorf("no test knows the kind %s", kind)
}

func strict[T any](text []byte, to *[]*T) error {
	object := new(T)
	*to = append(*to, object)
	return yaml.UnmarshalStrict(text, object)
}

// overlay writes a kustomization that puts components on a way, beside it.
func overlay(t *testing.T, fs filesys.FileSystem, way string, components []string) string {
	t.Helper()
	dir := t.TempDir()
	here, _, err := fs.CleanedAbs(".")
	if err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", strings.Count(dir, "/")) + strings.TrimPrefix(string(here), "/")
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [" + up + "/" + way + "]\n" +
		"components: [" + up + "/components/" + strings.Join(components, ", "+up+"/components/") + "]\n"
	if err := fs.WriteFile(dir+"/kustomization.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// templateOf is the one pod template of a way.
func templateOf(t *testing.T, m *manifests) *corev1.PodTemplateSpec {
	t.Helper()
	var found []*corev1.PodTemplateSpec
	for _, o := range m.CronJobs {
		found = append(found, &o.Spec.JobTemplate.Spec.Template)
	}
	for _, o := range m.Jobs {
		found = append(found, &o.Spec.Template)
	}
	for _, o := range m.Deployments {
		found = append(found, &o.Spec.Template)
	}
	if len(found) != 1 {
		t.Fatalf("%d pod templates", len(found))
	}
	return found[0]
}

// jobOf is the Job of a way, or what its CronJob makes.
func jobOf(t *testing.T, m *manifests) *batchv1.JobSpec {
	t.Helper()
	switch {
	case len(m.CronJobs) == 1 && len(m.Jobs) == 0:
		return &m.CronJobs[0].Spec.JobTemplate.Spec
	case len(m.Jobs) == 1 && len(m.CronJobs) == 0:
		return &m.Jobs[0].Spec
	}
	t.Fatalf("%d CronJobs and %d Jobs", len(m.CronJobs), len(m.Jobs))
	return nil
}

func TestPodsAskForNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		m := render(t, way)
		pod := templateOf(t, m).Spec
		c := pod.Containers[0]
		sc, psc := c.SecurityContext, pod.SecurityContext
		for claim, ok := range map[string]bool{
			"one container, called as the failure policy says": len(pod.Containers) == 1 && c.Name == "syncer",
			"not root":                         *psc.RunAsNonRoot && *psc.RunAsUser > 0,
			"read-only root":                   *sc.ReadOnlyRootFilesystem,
			"no capabilities":                  slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(sc.Capabilities.Add) == 0,
			"no escalation":                    !*sc.AllowPrivilegeEscalation,
			"the default seccomp profile":      psc.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
			"no token of the cluster":          !*pod.AutomountServiceAccountToken,
			"a Job's never restarted in place": (pod.RestartPolicy == corev1.RestartPolicyNever) == (len(m.Deployments) == 0),
			"time for the last commit":         *pod.TerminationGracePeriodSeconds >= 30,
			"memory is asked for and capped":   !c.Resources.Requests.Memory().IsZero() && !c.Resources.Limits.Memory().IsZero(),
			"no limit on the processor":        c.Resources.Limits.Cpu().IsZero(),
			"a namespace that enforces it":     m.Namespaces[0].Labels["pod-security.kubernetes.io/enforce"] == "restricted",
		} {
			if !ok {
				t.Errorf("%s: not so: %s", way, claim)
			}
		}
		// What the runtime may use leaves room below the limit.
		if env := envOf(c, "GOMEMLIMIT"); env != "400MiB" || c.Resources.Limits.Memory().Value() < 480<<20 {
			t.Errorf("%s: GOMEMLIMIT %s, limit %v", way, env, c.Resources.Limits.Memory())
		}
		for _, v := range c.VolumeMounts {
			if !slices.ContainsFunc(pod.Volumes, func(p corev1.Volume) bool { return p.Name == v.Name }) {
				t.Errorf("%s: nothing to mount for %s", way, v.Name)
			}
		}
	}
}

func envOf(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

func TestTheNightlyRunHasAPodForEachShard(t *testing.T) {
	t.Parallel()
	m := render(t, "nightly")
	job := jobOf(t, m)
	pod := job.Template.Spec
	cron := m.CronJobs[0].Spec
	if n := *job.Completions; *job.CompletionMode != batchv1.IndexedCompletion || n != *job.Parallelism || strconv.Itoa(int(n)) != envOf(pod.Containers[0], "SYNCER_SHARDS") {
		t.Errorf("completions %v, parallelism %v, SYNCER_SHARDS %s: they must be equal", *job.Completions, *job.Parallelism, envOf(pod.Containers[0], "SYNCER_SHARDS"))
	}
	group := slices.IndexFunc(pod.Containers[0].Env, func(e corev1.EnvVar) bool {
		return e.Name == "SYNCER_RUN_GROUP" && e.ValueFrom != nil && strings.Contains(e.ValueFrom.FieldRef.FieldPath, batchv1.JobNameLabel)
	})
	for claim, ok := range map[string]bool{
		"the shards share the Job's name":         group >= 0,
		"nights do not overlap":                   cron.ConcurrencyPolicy == batchv1.ForbidConcurrent,
		"a time zone":                             cron.TimeZone != nil && *cron.TimeZone == "Europe/Berlin",
		"a hung run ends before the next night":   *job.ActiveDeadlineSeconds < 24*3600,
		"each index has tries of its own":         *job.BackoffLimitPerIndex > 0 && job.BackoffLimit == nil,
		"a failed index does not stop the others": *job.MaxFailedIndexes >= *job.Completions,
		"the command":                             slices.Equal(pod.Containers[0].Args, []string{"run", "nightly", "--config", "/etc/syncer/jobs.yaml", "--log-format", "json"}),
	} {
		if !ok {
			t.Errorf("not so: %s", claim)
		}
	}
}

// actions are what the failure policy says to each exit code.
func actions(job *batchv1.JobSpec) map[int32]batchv1.PodFailurePolicyAction {
	found := map[int32]batchv1.PodFailurePolicyAction{}
	for _, rule := range job.PodFailurePolicy.Rules {
		if rule.OnExitCodes == nil || rule.OnExitCodes.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn {
			continue
		}
		for _, code := range rule.OnExitCodes.Values {
			found[code] = rule.Action
		}
	}
	return found
}

func TestExitCodesMeanToTheClusterWhatTheyMean(t *testing.T) {
	t.Parallel()
	const fail, index = batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionFailIndex
	for way, want := range map[string]map[int32]batchv1.PodFailurePolicyAction{
		"nightly":  {4: fail, 8: fail, 3: index, 7: index, 9: index},
		"backfill": {4: fail, 7: fail, 8: fail, 9: fail}, // after 3, another try goes on with what is left
	} {
		job := jobOf(t, render(t, way))
		if got := actions(job); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", way, got, want)
		}
		first := job.PodFailurePolicy.Rules[0]
		if first.Action != batchv1.PodFailurePolicyActionIgnore || first.OnPodConditions[0].Type != corev1.DisruptionTarget {
			t.Errorf("%s: a disruption must not count: %+v", way, first)
		}
	}
}

func TestComponentsAddWhatTheySayToEitherWay(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		plain := render(t, way)
		for component, added := range map[string]func(*manifests) error{
			"irsa": hasRole, "static-keys": func(m *manifests) error { return hasKeys(t, m) },
			"s3-endpoint": func(m *manifests) error { return opensStore(m, plain) },
		} {
			if added(plain) == nil {
				t.Errorf("%s: there without %s", way, component)
			}
			if err := added(render(t, way, component)); err != nil {
				t.Errorf("%s with %s: %v", way, component, err)
			}
		}
		all := render(t, way, "irsa", "static-keys", "s3-endpoint")
		if err := errors.Join(hasRole(all), hasKeys(t, all), opensStore(all, plain)); err != nil {
			t.Errorf("%s with all components: %v", way, err)
		}
	}
}

func hasRole(m *manifests) error {
	if role := m.ServiceAccounts[0].Annotations["eks.amazonaws.com/role-arn"]; !strings.HasPrefix(role, "arn:aws:iam::") {
		return fmt.Errorf("role %q", role)
	}
	return nil
}

func hasKeys(t *testing.T, m *manifests) error {
	t.Helper()
	if from := templateOf(t, m).Spec.Containers[0].EnvFrom; len(from) != 1 || from[0].SecretRef.Name != "syncer-s3" {
		return fmt.Errorf("keys from %+v", from)
	}
	return nil
}

// opensStore says what is wrong with the one way out that m has beyond plain.
func opensStore(m, plain *manifests) error {
	open, policy := 0, m.Policies[0].Spec
	for _, rule := range policy.Egress {
		for _, port := range rule.Ports {
			if port.Port.IntValue() == 9000 {
				open++
			}
		}
	}
	if open != 1 || len(plain.Policies[0].Spec.Egress) != len(policy.Egress)-1 {
		return fmt.Errorf("%d ways to the store", open)
	}
	if len(policy.PolicyTypes) != 2 || len(policy.Ingress) != 0 {
		return fmt.Errorf("policy types %v, ingress %v", policy.PolicyTypes, policy.Ingress)
	}
	return nil
}

func TestEverythingBelongsToOneNamespace(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		m := render(t, way)
		var all []metav1.ObjectMeta
		for _, o := range m.CronJobs {
			all = append(all, o.ObjectMeta)
		}
		for _, o := range m.Jobs {
			all = append(all, o.ObjectMeta)
		}
		for _, o := range m.Deployments {
			all = append(all, o.ObjectMeta)
		}
		for _, o := range m.Services {
			all = append(all, o.ObjectMeta)
		}
		for _, o := range m.ConfigMaps {
			all = append(all, o.ObjectMeta)
		}
		for _, o := range m.Policies {
			all = append(all, o.ObjectMeta)
		}
		for _, meta := range all {
			if meta.Namespace != m.Namespaces[0].Name || meta.Labels["app.kubernetes.io/name"] != "syncer" {
				t.Errorf("%s: %s%s: namespace %q, labels %v", way, meta.Name, meta.GenerateName, meta.Namespace, meta.Labels)
			}
		}
	}
}
