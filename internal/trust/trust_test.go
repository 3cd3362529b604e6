package trust

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnAuthorityOfOnesOwnIsTrustedBesideTheSystems(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, append([]byte("# ours\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := Pool(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Certificate().Verify(x509.VerifyOptions{Roots: pool, DNSName: "example.com"}); err != nil {
		t.Error(err)
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	system.AddCert(server.Certificate())
	if !pool.Equal(system) {
		t.Error("the system's are not among them")
	}
	if pool, err := Pool(""); pool != nil || err != nil {
		t.Errorf("no file: %v, %v", pool, err)
	}
}

func TestAFileThatIsNoneIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "absent"): "absent: file does not exist",
		write("der", "\x30\x82"):     "has no certificate: it has to be PEM",
		write("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"): "has no certificate",
		write("large", strings.Repeat("x", mostBytes+1)):                               "is larger than 1024 KiB",
		dir: "is a directory",
	} {
		if _, err := Pool(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
}
