package k8s

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var onCluster = flag.Bool("cluster", false, "start a Kubernetes control plane (make test-k8s builds it)")

// controllers are those that the manifests need. The others would wait for a
// cloud, or for nodes.
const controllers = "cronjob-controller,job-controller,ttl-after-finished-controller,garbage-collector-controller," +
	"namespace-controller,deployment-controller,replicaset-controller,endpointslice-controller"

// cluster is a control plane on ports of this machine: store, API server,
// controllers and scheduler. Its node is a [kubelet] of the test's own.
type cluster struct {
	*client
	dir string
}

// startCluster starts one, and ends it with the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	// Before go test itself gives up, which would leave the servers behind.
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-20*time.Second))
		t.Cleanup(cancel)
	}
	c := &cluster{dir: t.TempDir(), client: &client{token: rand.Text()}}
	store, peer, port := "http://"+freePort(t), "http://"+freePort(t), freePort(t)
	c.url = "https://" + port
	_, number, err := net.SplitHostPort(port)
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "tokens.csv", c.token+`,admin,admin,"system:masters"`)
	c.keys(t)
	c.spawn(ctx, t, "etcd", "--data-dir=etcd", "--listen-client-urls="+store, "--advertise-client-urls="+store,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer, "--unsafe-no-fsync")
	c.spawn(ctx, t, "kube-apiserver", "--etcd-servers="+store, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--secure-port="+number, "--cert-dir=certs", "--token-auth-file=tokens.csv", "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=sa.pub",
		"--service-account-signing-key-file=sa.key", "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
		// It would wait for somebody to find the node ready.
		"--disable-admission-plugins=TaintNodesByCondition")
	c.connect(ctx, t)
	c.write(t, "kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c,
clusters: [{name: c, cluster: {server: %q, certificate-authority: certs/apiserver.crt}}],
users: [{name: c, user: {token: %s}}], contexts: [{name: c, context: {cluster: c, user: c}}]}`, c.url, c.token))
	c.spawn(ctx, t, "kube-controller-manager", "--kubeconfig=kubeconfig", "--leader-elect=false", "--secure-port=0",
		"--controllers="+controllers, "--kube-api-qps=500", "--kube-api-burst=1000")
	c.spawn(ctx, t, "kube-scheduler", "--kubeconfig=kubeconfig", "--leader-elect=false", "--secure-port=0")
	return c
}

// spawn starts a server. What it says is shown where the test fails.
func (c *cluster) spawn(ctx context.Context, t *testing.T, name string, args ...string) {
	t.Helper()
	binary, err := filepath.Abs(filepath.Join("..", ".cache", "k8s", name))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: build it with make test-k8s", err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // it was told to end
		_ = log.Close()
		text, _ := os.ReadFile(log.Name())
		if t.Failed() {
			t.Logf("%s said last:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
}

// connect waits for the API server, and trusts the certificate that it made.
func (c *cluster) connect(ctx context.Context, t *testing.T) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	c.http = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	await(t, "an API server that is ready", time.Minute, func() error {
		crt, err := os.ReadFile(filepath.Join(c.dir, "certs", "apiserver.crt"))
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(crt) {
			return fmt.Errorf("no certificate in %q", crt)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
		if err := c.do(ctx, http.MethodGet, "/readyz", nil, nil); err != nil {
			return err
		}
		// The namespace that the server makes for itself comes a moment later.
		return c.do(ctx, http.MethodGet, "/api/v1/namespaces/default", nil, nil)
	})
}

// keys are for the tokens of service accounts, which the server insists on.
func (c *cluster) keys(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"sa.key": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		"sa.pub": {Type: "PUBLIC KEY", Bytes: public},
	} {
		c.write(t, name, string(pem.EncodeToMemory(block)))
	}
}

func (c *cluster) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := openPort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// openPort is an address of this machine that nobody listens on just now.
func openPort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// await tries until it works, or for too long.
func await(t *testing.T, what string, longest time.Duration, try func() error) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(longest)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited for %s: %v", what, strings.TrimSpace(err.Error()))
		}
		<-tick.C
	}
}
