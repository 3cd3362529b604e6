//nolint:thelper // claims are tests, and a failure should name its line in them
package buckettest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

var completion = []claim{
	{"completing again is no error", completeTwice},
	{"of four that complete at once all succeed", completeAtOnce},
	{"whoever holds the record completes", completeFromRecord},
	{"completing what was aborted is ErrNoUpload", completeAborted},
	{"completing what was aborted spares another's object", completeOverAnother},
	{"completing what was completed and deleted is ErrNoUpload", completeDeleted},
	{"aborting what was completed spares the object", abortCompleted},
	{"a list of parts that cannot be is refused", impossibleParts},
}

// twoParts is an upload with all its parts up.
func twoParts(t *testing.T, s bucket.Store, key string) (up bucket.Upload, parts []bucket.Part, body []byte) {
	t.Helper()
	first, last := noise(1, bucket.MinPart), noise(2, 100)
	up = begin(t, s, key)
	parts = []bucket.Part{uploadPart(t, s, up, 1, first), uploadPart(t, s, up, 2, last)}
	return up, parts, slices.Concat(first, last)
}

func completeTwice(t *testing.T, s bucket.Store) {
	up, parts, body := twoParts(t, s, "t/k")
	for range 3 {
		wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
		wantBody(t, s, "t/k", body)
	}
}

func completeAtOnce(t *testing.T, s bucket.Store) {
	up, parts, body := twoParts(t, s, "t/k")
	errs := atOnce(t.Context(), 4, func(ctx context.Context, _ int) error {
		return s.CompleteUpload(ctx, up, parts)
	})
	wantErr(t, "CompleteUpload at once", errors.Join(errs...), nil)
	wantBody(t, s, "t/k", body)
}

func completeFromRecord(t *testing.T, s bucket.Store) {
	type record struct {
		Upload bucket.Upload `json:"upload"`
		Parts  []bucket.Part `json:"parts"`
	}
	up, parts, body := twoParts(t, s, "t/k")
	text, err := json.Marshal(record{up, parts})
	wantErr(t, "Marshal", err, nil)
	var r record
	wantErr(t, "Unmarshal", json.Unmarshal(text, &r), nil)
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), r.Upload, r.Parts), nil)
	wantBody(t, s, "t/k", body)
	wantErr(t, "CompleteUpload again", s.CompleteUpload(t.Context(), r.Upload, r.Parts), nil)
}

func completeAborted(t *testing.T, s bucket.Store) {
	up, parts, _ := twoParts(t, s, "k")
	wantErr(t, "AbortUpload", s.AbortUpload(t.Context(), up), nil)
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), bucket.ErrNoUpload)
	wantAbsent(t, s, "k")
}

func completeOverAnother(t *testing.T, s bucket.Store) {
	up, parts, body := twoParts(t, s, "k")
	wantErr(t, "AbortUpload", s.AbortUpload(t.Context(), up), nil)
	other := noise(9, len(body)) // of the same size
	put(t, s, "k", string(other), bucket.Condition{})
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), bucket.ErrNoUpload)
	wantBody(t, s, "k", other)
}

func completeDeleted(t *testing.T, s bucket.Store) {
	up, parts, _ := twoParts(t, s, "k")
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	wantErr(t, "Delete", s.Delete(t.Context(), "k"), nil)
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), bucket.ErrNoUpload)
	wantAbsent(t, s, "k")
}

func abortCompleted(t *testing.T, s bucket.Store) {
	up, parts, body := twoParts(t, s, "k")
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	wantErr(t, "AbortUpload", s.AbortUpload(t.Context(), up), nil)
	wantBody(t, s, "k", body)
}

func impossibleParts(t *testing.T, s bucket.Store) {
	up, parts, body := twoParts(t, s, "k")
	small := uploadPart(t, s, up, 3, []byte("too small for the middle"))
	last := uploadPart(t, s, up, 4, []byte("last"))
	for name, list := range map[string][]bucket.Part{
		"none":       nil,
		"descending": {parts[1], parts[0]},
		"twice":      {parts[0], parts[0]},
		"small":      {parts[0], small, last},
		"number 0":   {{Number: 0, ETag: parts[0].ETag, Size: parts[0].Size}},
		"changed":    {{Number: 1, ETag: parts[1].ETag, Size: parts[0].Size, CRC32: parts[0].CRC32}},
	} {
		if err := s.CompleteUpload(t.Context(), up, list); err == nil {
			t.Errorf("CompleteUpload with %s succeeded", name)
		}
		wantAbsent(t, s, "k")
	}
	if _, err := s.UploadPart(t.Context(), up, 0, nil); err == nil {
		t.Error("UploadPart 0 succeeded")
	}
	if _, err := s.UploadPart(t.Context(), up, 10_001, nil); err == nil {
		t.Error("UploadPart 10,001 succeeded")
	}
	// None of that harmed it.
	wantErr(t, "CompleteUpload", s.CompleteUpload(t.Context(), up, parts), nil)
	wantBody(t, s, "k", body)
}
