package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// Here the shipped command runs, with credentials from its environment and by
// the real clock.
func TestThreeNightsOnS3EqualTheTruthAfterEachNight(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	url := s3test.WithPrefix(server.URL, "lake/finoos")
	b := newBank(t, sandbox.Options{Users: 20, Today: daysBefore(nights)})
	for n := 1; n <= nights; n++ {
		if n > 1 {
			b.Night()
		}
		b.run(t, 0, url, settings{}, server.Env...)
		checkLake(t, download(t, server, url), b)
		if t.Failed() {
			t.Fatalf("in night %d", n)
		}
	}
}

// Under KMS an ETag says nothing of what an object holds. Only MinIO encrypts; the
// other server takes the headers, and serves https as well.
func TestNightsOverTLSWithKMSEqualTheTruth(t *testing.T) {
	t.Parallel()
	server := s3test.StartWith(t, s3test.Options{TLS: true})
	url := s3test.WithPrefix(server.URL, "lake")
	b := newBank(t, sandbox.Options{Users: 10, Today: daysBefore(2)})
	encrypted := settings{sink: []string{"sse: aws:kms", "kms_key_id: " + s3test.KMSKey}}
	env := append(server.Env, "SSL_CERT_FILE="+server.Certificate)
	for n := 1; n <= 2; n++ {
		if n > 1 {
			b.Night()
		}
		b.run(t, 0, url, encrypted, env...)
		checkLake(t, download(t, server, url), b)
		if t.Failed() {
			t.Fatalf("in night %d", n)
		}
	}
	if server.Kind == s3test.MinIO {
		isEncrypted(t, server)
	}
}

// isEncrypted looks whether what the server has on its disk is no Parquet that
// anybody could read.
func isEncrypted(t *testing.T, server *s3test.Server) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(server.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, ".parquet"+string(filepath.Separator)) {
			return err
		}
		files++
		body, err := os.ReadFile(path)
		if bytes.Contains(body, []byte("PAR1")) {
			t.Errorf("%s is not encrypted", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files of the server, %v", files, err)
	}
}

// download copies all objects below a store's prefix to a folder.
func download(t *testing.T, server *s3test.Server, url string) string {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	store, err := bucket.Open(ctx, url, server.Options())
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	for object, err := range store.List(ctx, "", "") {
		if err != nil {
			t.Fatalf("list store: %v", err)
		}
		data, _, err := store.Get(ctx, object.Key)
		if err != nil {
			t.Fatalf("get %s: %v", object.Key, err)
		}
		path := filepath.Join(dir, filepath.FromSlash(object.Key))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
