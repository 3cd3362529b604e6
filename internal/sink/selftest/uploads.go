package selftest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"finoos-syncer/internal/sink/bucket"
)

// uploads follows two uploads to one key: one is completed, and one aborted.
func (p *examination) uploads(ctx context.Context) error {
	for range 2 {
		up, err := p.store.CreateUpload(ctx, p.keys.Upload)
		if errors.Is(err, bucket.ErrUnsupported) {
			return p.lie("refuses multipart uploads (%v)", err)
		}
		if err != nil {
			return err
		}
		p.known = append(p.known, up)
	}
	completed, aborted := p.known[0], p.known[1]
	body := []byte("self-test of uploads, " + rand.Text() + "\n")
	part, err := p.store.UploadPart(ctx, completed, 1, body)
	if errors.Is(err, bucket.ErrUnsupported) {
		return p.lie("refuses multipart uploads (%v)", err)
	}
	if err != nil {
		return err
	}
	if err := p.invisible(ctx); err != nil {
		return err
	}
	if err := p.store.AbortUpload(ctx, aborted); err != nil {
		return err
	}
	p.known = []bucket.Upload{completed}
	if err := p.complete(ctx, completed, []bucket.Part{part}, body); err != nil {
		return err
	}
	p.known = nil
	pending, err := p.store.PendingUploads(ctx, p.keys.Upload)
	if err != nil {
		return err
	}
	if lists(pending, aborted) {
		return p.lie("lists a multipart upload that was aborted")
	}
	return nil
}

func lists(pending []bucket.Upload, up bucket.Upload) bool {
	return slices.ContainsFunc(pending, func(p bucket.Upload) bool { return p.ID == up.ID })
}

// invisible looks whether uploads that are pending are found by their key, and by
// nothing else.
func (p *examination) invisible(ctx context.Context) error {
	pending, err := p.store.PendingUploads(ctx, p.keys.Upload)
	if errors.Is(err, bucket.ErrUnsupported) {
		return p.lie("does not list multipart uploads (%v)", err)
	}
	if err != nil {
		return err
	}
	for _, up := range p.known {
		if !lists(pending, up) {
			return p.lie("does not list a multipart upload under its own key")
		}
	}
	_, _, err = p.store.Get(ctx, p.keys.Upload)
	if err == nil {
		return p.lie("shows an object whose multipart upload is not complete")
	}
	if !errors.Is(err, bucket.ErrNotExist) {
		return err
	}
	listed, err := p.listed(ctx)
	if listed != nil {
		return p.lie("lists an object whose multipart upload is not complete")
	}
	return err
}

// complete makes an upload an object, and looks at it from all sides.
func (p *examination) complete(ctx context.Context, up bucket.Upload, parts []bucket.Part, want []byte) error {
	err := p.store.CompleteUpload(ctx, up, parts)
	if errors.Is(err, bucket.ErrStillPending) {
		return p.lie("calls a multipart upload complete, and it is not")
	}
	if err != nil && !errors.Is(err, bucket.ErrNoUpload) && !errors.Is(err, bucket.ErrUnsupported) {
		return err
	}
	got, info, readErr := p.store.Get(ctx, p.keys.Upload)
	switch {
	case errors.Is(err, bucket.ErrUnsupported):
		return p.lie("refuses to complete a multipart upload (%v)", err)
	case errors.Is(readErr, bucket.ErrNotExist) && err != nil:
		return p.lie("lost a multipart upload that had just begun (%v)", err)
	case errors.Is(readErr, bucket.ErrNotExist):
		return p.lie("does not show an object right after its multipart upload was completed")
	case readErr != nil:
		return readErr
	case !bytes.Equal(got, want):
		return p.lie("made an object of %d bytes of an upload of %d, or of other bytes", len(got), len(want))
	case err != nil:
		return p.lie("forgot what a multipart upload was created with: its object does not carry the upload's metadata, or tells another size (%v)", err)
	}
	if err := p.clock(info, clearFor); err != nil {
		return err
	}
	stat, err := p.store.Stat(ctx, p.keys.Upload)
	if err != nil && !errors.Is(err, bucket.ErrNotExist) {
		return err
	}
	listed, listErr := p.listed(ctx)
	switch {
	case listErr != nil:
		return listErr
	case err != nil:
		return p.lie("does not show an object right after its multipart upload was completed (%v)", err)
	case listed == nil:
		return p.lie("does not list an object right after its multipart upload was completed")
	case stat.Size != int64(len(want)), listed.Size != stat.Size:
		return p.lie("tells a size of %d, and in listings of %d, of an object of %d bytes", stat.Size, listed.Size, len(want))
	}
	return nil
}

// listed is the object at the upload's key as a listing shows it; nil where it shows
// none.
func (p *examination) listed(ctx context.Context) (*bucket.Info, error) {
	for info, err := range p.store.List(ctx, p.keys.Upload, "") {
		if err != nil {
			return nil, err
		}
		if info.Key == p.keys.Upload {
			return &info, nil
		}
	}
	return nil, nil //nolint:nilnil // that it is not there is an answer
}
