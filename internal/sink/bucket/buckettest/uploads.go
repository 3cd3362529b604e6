//nolint:thelper // claims are tests, and a failure should name its line in them
package buckettest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
)

var uploads = []claim{
	{"an upload is invisible until it is completed", invisible},
	{"a part sent again replaces the first", partAgain},
	{"parts may come in any order and at once", partsInAnyOrder},
	{"aborting twice is no error, and leaves nothing", abortTwice},
	{"a part for an aborted upload is ErrNoUpload", partAfterAbort},
	{"pending uploads are those of the exact key", pendingExact},
}

func begin(t *testing.T, s bucket.Store, key string) bucket.Upload {
	t.Helper()
	up, err := s.CreateUpload(t.Context(), key)
	if err != nil {
		t.Fatalf("CreateUpload(%s) = %v", key, err)
	}
	if up.Key != key || up.ID == "" || up.Token == "" {
		t.Fatalf("CreateUpload(%s) = %+v", key, up)
	}
	return up
}

func uploadPart(t *testing.T, s bucket.Store, up bucket.Upload, number int, body []byte) bucket.Part {
	t.Helper()
	part, err := s.UploadPart(t.Context(), up, number, body)
	if err != nil {
		t.Fatalf("UploadPart(%s, %d) = %v", up.Key, number, err)
	}
	if part.Number != number || part.Size != int64(len(body)) || part.ETag == "" {
		t.Fatalf("UploadPart(%s, %d) = %+v", up.Key, number, part)
	}
	return part
}

func complete(t *testing.T, s bucket.Store, up bucket.Upload, bodies ...[]byte) []bucket.Part {
	t.Helper()
	parts := make([]bucket.Part, len(bodies))
	for i, body := range bodies {
		parts[i] = uploadPart(t, s, up, i+1, body)
	}
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	return parts
}

func pendingIDs(t *testing.T, s bucket.Store, key string) []string {
	t.Helper()
	pending, err := s.PendingUploads(t.Context(), key)
	if err != nil {
		t.Fatalf("PendingUploads(%s) = %v", key, err)
	}
	var ids []string
	for _, up := range pending {
		if up.Key != key {
			t.Errorf("PendingUploads(%s) lists one of %s", key, up.Key)
		}
		ids = append(ids, up.ID)
	}
	slices.Sort(ids)
	return ids
}

func invisible(t *testing.T, s bucket.Store) {
	const key = "table/ingest_date=2026-11-22/run-0-1.parquet"
	hidden := func() {
		t.Helper()
		wantAbsent(t, s, key)
		if got := keys(t, s, "", ""); got != nil {
			t.Errorf("List = %v", got)
		}
	}
	first, last := noise(1, bucket.MinPart), noise(2, 1234)
	up := begin(t, s, key)
	hidden()
	parts := []bucket.Part{uploadPart(t, s, up, 1, first)}
	hidden()
	parts = append(parts, uploadPart(t, s, up, 2, last))
	hidden()
	if diff := cmp.Diff([]string{up.ID}, pendingIDs(t, s, key)); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	wantBody(t, s, key, slices.Concat(first, last))
	if diff := cmp.Diff([]string{key}, keys(t, s, "", "")); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if ids := pendingIDs(t, s, key); ids != nil {
		t.Errorf("still pending: %v", ids)
	}
}

func partAgain(t *testing.T, s bucket.Store) {
	up := begin(t, s, "k")
	one, two := noise(1, bucket.MinPart+7), noise(2, 99)
	uploadPart(t, s, up, 1, noise(3, bucket.MinPart))
	uploadPart(t, s, up, 2, noise(4, 1000))
	parts := []bucket.Part{uploadPart(t, s, up, 1, one), uploadPart(t, s, up, 2, two)}
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	wantBody(t, s, "k", slices.Concat(one, two))
	wantErr(t, "CompleteUpload again", s.CompleteUpload(t.Context(), up, parts), nil)
}

func partsInAnyOrder(t *testing.T, s bucket.Store) {
	up := begin(t, s, "k")
	bodies := [][]byte{noise(1, bucket.MinPart), noise(2, bucket.MinPart+1), noise(3, bucket.MinPart), noise(4, 1)}
	parts := make([]bucket.Part, len(bodies))
	parts[3] = uploadPart(t, s, up, 4, bodies[3])
	errs := atOnce(t.Context(), 3, func(ctx context.Context, i int) error {
		var err error
		parts[i], err = s.UploadPart(ctx, up, i+1, bodies[i])
		return err
	})
	wantErr(t, "UploadPart at once", errors.Join(errs...), nil)
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	wantBody(t, s, "k", bytes.Join(bodies, nil))
}

func abortTwice(t *testing.T, s bucket.Store) {
	up := begin(t, s, "k")
	uploadPart(t, s, up, 1, []byte("x"))
	for range 2 {
		wantErr(t, "AbortUpload", s.AbortUpload(t.Context(), up), nil)
		wantAbsent(t, s, "k")
		if ids := pendingIDs(t, s, "k"); ids != nil {
			t.Fatalf("still pending: %v", ids)
		}
	}
}

func partAfterAbort(t *testing.T, s bucket.Store) {
	up := begin(t, s, "k")
	wantErr(t, "AbortUpload", s.AbortUpload(t.Context(), up), nil)
	_, err := s.UploadPart(t.Context(), up, 1, []byte("x"))
	wantErr(t, "UploadPart", err, bucket.ErrNoUpload)
}

func pendingExact(t *testing.T, s bucket.Store) {
	const key = "t/run-0-1.parquet"
	if ids := pendingIDs(t, s, key); ids != nil {
		t.Fatalf("pending in an empty store: %v", ids)
	}
	first, second := begin(t, s, key), begin(t, s, key)
	for _, other := range []string{"t/run-0-1.parquet2", "t/run-0-1.parque", "t/run-0-1.parquet.b", "run-0-1.parquet", "t/x/run-0-1.parquet"} {
		begin(t, s, other)
	}
	want := []string{first.ID, second.ID}
	slices.Sort(want)
	if diff := cmp.Diff(want, pendingIDs(t, s, key)); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	wantErr(t, "AbortUpload", s.AbortUpload(t.Context(), first), nil)
	if diff := cmp.Diff([]string{second.ID}, pendingIDs(t, s, key)); diff != "" {
		t.Errorf("pending after an abort (-want +got):\n%s", diff)
	}
}
