package bucket_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// TestAPendingUploadIsCheckedWithoutBeingCompleted looks at uploads of two parts as they
// are, with other lists of parts, and when they are gone.
func TestAPendingUploadIsCheckedWithoutBeingCompleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := s3test.Start(t)
	for name, store := range map[string]bucket.Store{
		"folder": openFolder(t, dir), "s3": openStore(t, s3test.WithPrefix(server.URL, "lake"), server.Options()),
	} {
		up, err := store.CreateUpload(t.Context(), "users/x.parquet")
		if err != nil {
			t.Fatal(err)
		}
		var parts []bucket.Part
		for n, body := range [][]byte{bytes.Repeat([]byte("a"), bucket.MinPart), []byte("b")} {
			part, err := store.UploadPart(t.Context(), up, n+1, body)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, part)
		}
		check := func(what string, parts []bucket.Part, want error) {
			t.Helper()
			if err := bucket.CheckUpload(t.Context(), store, up, parts); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s, %s: %v, want %v", name, what, err, want)
			}
		}
		check("as it is", parts, nil)
		other := slices.Clone(parts)
		other[1].ETag = parts[0].ETag
		check("a part that is another", other, bucket.ErrBadUpload)
		other = append(slices.Clone(parts), bucket.Part{Number: 3, ETag: parts[0].ETag, Size: 7})
		check("a part that is not there", other, bucket.ErrBadUpload)
		if name == "folder" {
			hurt(t, dir)
			check("a bit has flipped", parts, bucket.ErrBadUpload)
		}
		if err := store.AbortUpload(t.Context(), up); err != nil {
			t.Fatal(err)
		}
		check("gone", parts, bucket.ErrNoUpload)
	}
}

// hurt flips a bit of the only pending upload.
func hurt(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "_syncer/nightly/pending/.*.pending"))
	if err != nil || len(found) != 1 {
		t.Fatalf("pending: %v, %v", found, err)
	}
	body, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := os.WriteFile(found[0], body, 0o600); err != nil {
		t.Fatal(err)
	}
}
