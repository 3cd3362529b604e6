package bucket_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/buckettest"
	"finoos-syncer/internal/sink/bucket/s3test"
)

func TestFolderConforms(t *testing.T) {
	t.Parallel()
	buckettest.Conformance(t, func(t *testing.T) bucket.Store {
		t.Helper()
		return openFolder(t, filepath.Join(t.TempDir(), "created", "on demand"))
	})
}

func TestS3Conforms(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]s3test.Options{"http": {}, "https": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := s3test.StartWith(t, opts)
			var n atomic.Int64
			buckettest.Conformance(t, func(t *testing.T) bucket.Store {
				t.Helper()
				prefix := fmt.Sprintf("lakes/%d", n.Add(1))
				return openStore(t, s3test.WithPrefix(server.URL, prefix), server.Options())
			})
		})
	}
}

func openStore(t *testing.T, storeURL string, opts bucket.Options) bucket.Store {
	t.Helper()
	s, err := bucket.Open(t.Context(), storeURL, opts)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

func openFolder(t *testing.T, dir string) bucket.Store {
	t.Helper()
	return openStore(t, "file://"+dir, bucket.Options{Pending: "_syncer/nightly/pending"})
}
