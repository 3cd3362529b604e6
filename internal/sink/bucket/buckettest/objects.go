//nolint:thelper // claims are tests, and a failure should name its line in them
package buckettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

var objects = []claim{
	{"an object reads back as it was written", readsBack},
	{"a put replaces the whole object", replaces},
	{"what is absent is ErrNotExist, and deleting it no error", absence},
	{"a large object reads in ranges", ranges},
	{"a reader sticks to one version", oneVersion},
	{"get refuses what is too large to hold", tooLarge},
	{"invalid keys are refused", invalidKeys},
	{"a cancelled context stops everything", cancelled},
}

func readsBack(t *testing.T, s bucket.Store) {
	for _, body := range []string{"", "{}", strings.Repeat("ü", 100_000)} {
		key := "table/ingest_date=2026-11-22/" + time.Duration(len(body)).String() + ".parquet"
		written := put(t, s, key, body, bucket.Condition{})
		got, read, err := s.Get(t.Context(), key)
		if err != nil || string(got) != body {
			t.Fatalf("Get = %d bytes, %v, want %d", len(got), err, len(body))
		}
		stat, err := s.Stat(t.Context(), key)
		if err != nil {
			t.Fatalf("Stat = %v", err)
		}
		for doing, info := range map[string]bucket.Info{"Put": written, "Get": read, "Stat": stat} {
			if info.Key != key || info.Size != int64(len(body)) || info.ETag == "" || info.ETag != written.ETag {
				t.Errorf("%s says %+v, want key %s, size %d, etag %s", doing, info, key, len(body), written.ETag)
			}
			// The clock is the store's, and this one's stands on this machine.
			if age := time.Since(info.StoreTime).Abs(); age > time.Minute {
				t.Errorf("%s says it is %v at the store", doing, info.StoreTime)
			}
			if info.Modified.After(info.StoreTime.Add(time.Second)) || info.StoreTime.Sub(info.Modified) > time.Minute {
				t.Errorf("%s says modified %v at %v", doing, info.Modified, info.StoreTime)
			}
		}
	}
}

func replaces(t *testing.T, s bucket.Store) {
	first := put(t, s, "a/b", "a longer first version", bucket.Condition{})
	second := put(t, s, "a/b", "second", bucket.Condition{})
	if first.ETag == second.ETag {
		t.Errorf("both versions have the etag %s", first.ETag)
	}
	wantBody(t, s, "a/b", []byte("second"))
}

func absence(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	check := func() {
		t.Helper()
		_, _, err := s.Get(ctx, "a/b")
		wantErr(t, "Get", err, bucket.ErrNotExist)
		_, err = s.Stat(ctx, "a/b")
		wantErr(t, "Stat", err, bucket.ErrNotExist)
		_, err = s.Open(ctx, "a/b")
		wantErr(t, "Open", err, bucket.ErrNotExist)
		wantErr(t, "Delete", s.Delete(ctx, "a/b"), nil)
	}
	check() // nothing was ever written
	put(t, s, "a/other", "stays", bucket.Condition{})
	check() // its neighbour exists
	put(t, s, "a/b", "goes", bucket.Condition{})
	wantErr(t, "Delete", s.Delete(ctx, "a/b"), nil)
	check()
	wantBody(t, s, "a/other", []byte("stays"))
	_, err := s.Stat(ctx, "a")
	wantErr(t, "Stat of what other keys begin with", err, bucket.ErrNotExist)
}

func ranges(t *testing.T, s bucket.Store) {
	body := noise(1, bucket.MinPart+1000)
	complete(t, s, begin(t, s, "big.parquet"), body[:bucket.MinPart], body[bucket.MinPart:])
	r, err := s.Open(t.Context(), "big.parquet")
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer r.Close() //nolint:errcheck // only read
	if r.Size() != int64(len(body)) {
		t.Fatalf("Size = %d, want %d", r.Size(), len(body))
	}
	end := int64(len(body))
	spots := []struct {
		off  int64
		n    int
		want error
	}{{0, 4, nil}, {bucket.MinPart - 10, 20, nil}, {end - 8, 8, nil}, {end - 8, 9, io.EOF}, {end, 1, io.EOF}, {end + 10, 1, io.EOF}, {0, len(body), nil}}
	errs := atOnce(t.Context(), len(spots), func(_ context.Context, i int) error {
		spot := spots[i]
		got := make([]byte, spot.n)
		n, err := r.ReadAt(got, spot.off)
		// At the very end io.ReaderAt leaves it open whether EOF comes now.
		if !errors.Is(err, spot.want) || err != nil && spot.want == nil {
			return errors.New("unexpected outcome: " + errText(err))
		}
		want := body[min(spot.off, end):min(spot.off+int64(spot.n), end)]
		if !bytes.Equal(got[:n], want) {
			return errors.New("other bytes than were written")
		}
		return nil
	})
	for i, err := range errs {
		if err != nil {
			t.Errorf("ReadAt(%d bytes, %d): %v", spots[i].n, spots[i].off, err)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func oneVersion(t *testing.T, s bucket.Store) {
	put(t, s, "k", "first version", bucket.Condition{})
	r, err := s.Open(t.Context(), "k")
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer r.Close() //nolint:errcheck // only read
	put(t, s, "k", "other content", bucket.Condition{})
	got := make([]byte, 5)
	if _, err := r.ReadAt(got, 0); err == nil && string(got) != "first" {
		t.Errorf("ReadAt = %q of another version", got)
	}
}

func tooLarge(t *testing.T, s bucket.Store) {
	if testing.Short() {
		t.Skip("writes 64 MiB")
	}
	if _, err := s.Put(t.Context(), "huge", make([]byte, bucket.MaxGet+1), bucket.Condition{}); err != nil {
		t.Fatalf("Put = %v", err)
	}
	if _, _, err := s.Get(t.Context(), "huge"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("Get = %v, want that it is too large", err)
	}
}

func invalidKeys(t *testing.T, s bucket.Store) {
	ctx := t.Context()
	for _, key := range []string{"", "/a", "a/", "a//b", "..", "a/../b", ".", "a/.b", "a\x00b", "a\nb", strings.Repeat("k", 1025)} {
		_, _, getErr := s.Get(ctx, key)
		_, putErr := s.Put(ctx, key, nil, bucket.Condition{})
		_, openErr := s.Open(ctx, key)
		_, statErr := s.Stat(ctx, key)
		_, createErr := s.CreateUpload(ctx, key)
		_, listErr := s.PendingUploads(ctx, key)
		up := bucket.Upload{Key: key, ID: "id", Token: "token"}
		_, partErr := s.UploadPart(ctx, up, 1, nil)
		for doing, err := range map[string]error{
			"Get": getErr, "Put": putErr, "Open": openErr, "Stat": statErr, "Delete": s.Delete(ctx, key),
			"CreateUpload": createErr, "PendingUploads": listErr, "UploadPart": partErr,
			"CompleteUpload": s.CompleteUpload(ctx, up, []bucket.Part{{Number: 1}}), "AbortUpload": s.AbortUpload(ctx, up),
		} {
			if err == nil || !strings.Contains(err.Error(), "invalid") {
				t.Errorf("%s(%q) = %v, want an invalid key", doing, key, err)
			}
		}
	}
}

func cancelled(t *testing.T, s bucket.Store) {
	put(t, s, "stays", "here", bucket.Condition{})
	up := begin(t, s, "upload")
	part := uploadPart(t, s, up, 1, []byte("part"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, getErr := s.Get(ctx, "stays")
	_, openErr := s.Open(ctx, "stays")
	_, statErr := s.Stat(ctx, "stays")
	_, putErr := s.Put(ctx, "new", []byte("x"), bucket.Condition{})
	_, casErr := s.Put(ctx, "new", []byte("x"), bucket.Condition{IfNoneMatch: true})
	_, createErr := s.CreateUpload(ctx, "new")
	_, partErr := s.UploadPart(ctx, up, 2, []byte("x"))
	_, pendingErr := s.PendingUploads(ctx, "upload")
	var listErr error
	for _, err := range s.List(ctx, "", "") {
		listErr = err
	}
	for doing, err := range map[string]error{
		"Get": getErr, "Open": openErr, "Stat": statErr, "Put": putErr, "Put if absent": casErr,
		"Delete": s.Delete(ctx, "stays"), "List": listErr, "CreateUpload": createErr, "UploadPart": partErr,
		"CompleteUpload": s.CompleteUpload(ctx, up, []bucket.Part{part}), "AbortUpload": s.AbortUpload(ctx, up),
		"PendingUploads": pendingErr,
	} {
		wantErr(t, doing, err, context.Canceled)
	}
	wantAbsent(t, s, "new")
	wantAbsent(t, s, "upload")
	wantBody(t, s, "stays", []byte("here"))
	wantErr(t, "CompleteUpload afterwards", s.CompleteUpload(t.Context(), up, []bucket.Part{part}), nil)
}
