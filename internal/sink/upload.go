package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"finoos-syncer/internal/sink/bucket"
)

// partsPerStep is after how many parts their size doubles: 10,000 parts, all
// that a store takes, are then enough for any file.
const partsPerStep = 1000

// uploader sends a file to the store in parts while it is being written, and
// leaves the upload pending. Write only collects, so that writers of formats
// need no context; flush sends. Not safe for concurrent use.
type uploader struct {
	store bucket.Uploads
	key   string

	buf   []byte // written and not sent yet
	up    bucket.Upload
	parts []bucket.Part
	bytes int64
	sum   hash.Hash
}

func newUploader(store bucket.Uploads, key string) *uploader {
	return &uploader{store: store, key: key, sum: sha256.New()}
}

// Write implements io.Writer. It never fails.
func (u *uploader) Write(p []byte) (int, error) {
	u.sum.Write(p)
	u.bytes += int64(len(p))
	if free := cap(u.buf) - len(u.buf); free < len(p) {
		// A part is collected in few steps: to grow is to copy.
		u.buf = slices.Grow(u.buf, max(len(p), min(cap(u.buf), bucket.MinPart)))
	}
	u.buf = append(u.buf, p...)
	return len(p), nil
}

// partSize is the size of the next part.
func (u *uploader) partSize() int { return bucket.MinPart << (len(u.parts) / partsPerStep) }

// flush sends what fills whole parts.
func (u *uploader) flush(ctx context.Context) error {
	sent := 0
	for len(u.buf)-sent >= u.partSize() {
		n := u.partSize()
		if err := u.send(ctx, u.buf[sent:sent+n]); err != nil {
			return err
		}
		sent += n
	}
	if sent > 0 {
		u.buf = u.buf[:copy(u.buf, u.buf[sent:])]
	}
	return nil
}

// finish sends the rest. The upload stays pending: committing completes it.
func (u *uploader) finish(ctx context.Context) (FileUpload, error) {
	if err := u.flush(ctx); err != nil {
		return FileUpload{}, err
	}
	if len(u.buf) > 0 || len(u.parts) == 0 {
		if err := u.send(ctx, u.buf); err != nil {
			return FileUpload{}, err
		}
	}
	u.buf = nil
	return FileUpload{Upload: u.up, Parts: u.parts}, nil
}

func (u *uploader) send(ctx context.Context, body []byte) error {
	if len(u.parts) == 0 && u.up.ID == "" {
		up, err := u.store.CreateUpload(ctx, u.key)
		if err != nil {
			return fmt.Errorf("begin upload: %w", err)
		}
		u.up = up
	}
	part, err := u.store.UploadPart(ctx, u.up, len(u.parts)+1, body)
	if err != nil {
		return fmt.Errorf("upload part: %w", err)
	}
	u.parts = append(u.parts, part)
	return nil
}

// checksum is the SHA-256 of everything written.
func (u *uploader) checksum() string { return hex.EncodeToString(u.sum.Sum(nil)) }
