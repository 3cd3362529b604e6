package e2e

import (
	"os"
	"path/filepath"
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
