package k8s

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// site is what pods reach outside of the cluster: an API, and a bucket.
type site struct {
	binary, api, lake, dir string
	t                      *testing.T
	running                sync.WaitGroup
}

// newSite starts a simulated API.
func newSite(t *testing.T, binary string) *site {
	t.Helper()
	s := &site{t: t, binary: binary, dir: t.TempDir()}
	s.lake = filepath.Join(s.dir, "lake")
	cmd := exec.CommandContext(t.Context(), binary, "sandbox", "--users", "16", "--addr", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // all are killed by the end of the context
		_ = cmd.Wait()
		s.running.Wait()
	})
	welcome := bufio.NewScanner(out)
	for s.api == "" && welcome.Scan() {
		s.api = regexp.MustCompile(`http://[0-9.:]+`).FindString(welcome.Text())
	}
	if s.api == "" {
		t.Fatalf("the sandbox gives no address: %v", welcome.Err())
	}
	return s
}

// configure points the jobs.yaml of the base to this site. The schedule is half a
// day away: serve must not begin with a run that is due.
func (s *site) configure(t *testing.T, configMap string) string {
	t.Helper()
	then := berlin(t, time.Now().Add(12*time.Hour))
	return edited(t, configMap, "https://os.test.fino.cloud/api", s.api,
		"s3://acme-lake/finoos?region=eu-central-1", "file://"+s.lake, "30 2 * * *", fmt.Sprintf("%d %d * * *", then.Minute(), then.Hour()))
}

// berlin is a time as clocks show it in the time zone of the manifests.
func berlin(t *testing.T, at time.Time) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return at.In(zone)
}

// process is a container that really runs: the binary of the image, with the
// arguments, environment and files that the pod has. Its paths are moved to a
// folder of its own, its port to a free one.
type process struct {
	cmd   *exec.Cmd
	probe string
	code  atomic.Int64
	asked atomic.Bool // ended by the node
	said  bytes.Buffer
}

// run starts a pod's process. It ends with the pod, or with all tests.
func (s *site) run(c *client, pod *corev1.Pod) (*process, error) {
	ctx := s.t.Context()
	paths, err := s.mount(ctx, c, pod)
	if err != nil {
		return nil, err
	}
	port, err := openPort(ctx)
	if err != nil {
		return nil, err
	}
	spec, move := pod.Spec.Containers[0], strings.NewReplacer(append(paths, ":8080", port)...)
	args := make([]string, len(spec.Args))
	for i, arg := range spec.Args {
		args[i] = move.Replace(arg)
	}
	p := &process{cmd: exec.CommandContext(ctx, s.binary, args...)}
	p.code.Store(runsOn)
	p.cmd.Dir = filepath.Join(s.dir, pod.Name)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if p.cmd.Env, err = environment(pod); err != nil {
		return nil, err
	}
	if probe := spec.ReadinessProbe; probe != nil {
		p.probe = "http://" + port + probe.HTTPGet.Path
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	s.running.Go(func() {
		_ = p.cmd.Wait() // the code says it
		code := p.cmd.ProcessState.ExitCode()
		if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			code = 128 + int(status.Signal())
		}
		if code != 0 && !p.asked.Load() && ctx.Err() == nil {
			s.t.Logf("%s ended with %d:\n%s", pod.Name, code, p.said.String())
		}
		p.code.Store(int64(code))
	})
	return p, nil
}

// mount makes the pod's files, and returns pairs of a path and where it is.
func (s *site) mount(ctx context.Context, c *client, pod *corev1.Pod) (paths []string, err error) {
	root := filepath.Join(s.dir, pod.Name)
	spec, files := pod.Spec.Containers[0], map[string]map[string][]byte{}
	for _, m := range spec.VolumeMounts {
		paths = append(paths, m.MountPath+"/", filepath.Join(root, m.MountPath)+"/", m.MountPath+"\n", filepath.Join(root, m.MountPath)+"\n")
		for _, v := range pod.Spec.Volumes {
			if v.Name == m.Name {
				if files[filepath.Join(root, m.MountPath)], err = content(ctx, c, pod.Namespace, v); err != nil {
					return nil, err
				}
			}
		}
	}
	move := strings.NewReplacer(paths...)
	for dir, contents := range files {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		for name, text := range contents {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(move.Replace(string(text))), 0o600); err != nil {
				return nil, err
			}
		}
	}
	return paths, nil
}

// content is what a volume has at first.
func content(ctx context.Context, c *client, namespace string, v corev1.Volume) (map[string][]byte, error) {
	switch {
	case v.EmptyDir != nil:
		return nil, nil
	case v.Secret != nil:
		if mode := v.Secret.DefaultMode; mode == nil || *mode != 0o440 {
			return nil, fmt.Errorf("a secret of mode %v: its group must read it, others must not", mode)
		}
		var secret corev1.Secret
		err := c.do(ctx, http.MethodGet, at("Secret", namespace, v.Secret.SecretName), nil, &secret)
		return secret.Data, err
	case v.ConfigMap != nil:
		var m corev1.ConfigMap
		if err := c.do(ctx, http.MethodGet, at("ConfigMap", namespace, v.ConfigMap.Name), nil, &m); err != nil {
			return nil, err
		}
		texts := map[string][]byte{}
		for name, text := range m.Data {
			texts[name] = []byte(text)
		}
		return texts, nil
	}
	return nil, fmt.Errorf("what is the volume %s?", v.Name)
}

// environment is that of a pod. Nothing of the machine's is in it, and its
// folder for temporary files is as unwritable as the root of the image.
func environment(pod *corev1.Pod) (env []string, err error) {
	env = append(env, "TMPDIR=/nowhere", "HOME=/nowhere", "HOSTNAME="+pod.Name)
	for _, e := range pod.Spec.Containers[0].Env {
		value := e.Value
		if e.ValueFrom != nil {
			if value, err = field(pod, e.ValueFrom.FieldRef); err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name, err)
			}
		}
		env = append(env, e.Name+"="+value)
	}
	return env, nil
}

// field is a label or an annotation that an environment variable is taken from.
func field(pod *corev1.Pod, ref *corev1.ObjectFieldSelector) (string, error) {
	if ref == nil {
		return "", errors.New("from something else than a field")
	}
	for prefix, values := range map[string]map[string]string{"metadata.labels['": pod.Labels, "metadata.annotations['": pod.Annotations} {
		if name, ok := strings.CutPrefix(ref.FieldPath, prefix); ok {
			if value, ok := values[strings.TrimSuffix(name, "']")]; ok {
				return value, nil
			}
		}
	}
	return "", fmt.Errorf("the pod has no %s", ref.FieldPath)
}

func (p *process) ended() (int, bool) {
	code := int(p.code.Load())
	return code, code != runsOn
}

// ready asks the probe, where there is one.
func (p *process) ready() bool {
	if p.probe == "" {
		return true
	}
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get(p.probe)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (p *process) terminate() {
	if p.asked.CompareAndSwap(false, true) {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
}
