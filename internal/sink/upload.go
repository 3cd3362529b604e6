package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"

	nameless "finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/bucket"
)

const (
	// partsPerStep is after how many parts their size doubles: 10,000 parts, all
	// that a store takes, are then enough for any file.
	partsPerStep = 1000
	// uploadMemory is up to how much an upload collects in memory. Every table has
	// one, so beyond that it is a scratch file in which parts grow.
	uploadMemory = 512 << 10
	// partsAtOnce bounds the parts that are in memory to be sent: one after the
	// other is far more than the API brings.
	partsAtOnce = 1
)

// partSlots holds the memory for parts, as many as may be sent at once. It is
// shared by the uploads of a writer.
type partSlots chan []byte

func newPartSlots() partSlots {
	slots := make(partSlots, partsAtOnce)
	for range partsAtOnce {
		slots <- nil
	}
	return slots
}

// uploader sends a file to the store in parts while it is being written, and
// leaves the upload pending. Write only collects, so that writers of formats
// need no context; flush sends. Not safe for concurrent use.
type uploader struct {
	store bucket.Uploads
	key   string
	slots partSlots
	dir   string // for the scratch file

	// Written and not sent yet: first what lies in the file, then buf.
	file     *os.File // nil until something has to go there
	from, to int64
	buf      []byte
	err      error // of the file

	up    bucket.Upload
	parts []bucket.Part
	bytes int64
	sum   hash.Hash
}

func newUploader(store bucket.Uploads, key string, slots partSlots, dir string) *uploader {
	return &uploader{store: store, key: key, slots: slots, dir: dir, sum: sha256.New()}
}

// Write implements io.Writer. It never fails: flush says what went wrong.
func (u *uploader) Write(p []byte) (int, error) {
	u.sum.Write(p)
	u.bytes += int64(len(p))
	u.buf = append(u.buf, p...)
	if len(u.buf) >= uploadMemory && u.err == nil {
		u.err = u.spill()
	}
	return len(p), nil
}

func (u *uploader) spill() (err error) {
	if u.file == nil {
		if u.file, err = nameless.File(u.dir, "syncer-upload"); err != nil {
			return fmt.Errorf("hold a part: %w", err)
		}
	}
	if u.from == u.to {
		u.from, u.to = 0, 0
	}
	n, err := u.file.WriteAt(u.buf, u.to)
	u.to += int64(n)
	if err != nil {
		return fmt.Errorf("hold a part: %w", err)
	}
	u.buf = u.buf[:0]
	if cap(u.buf) > 2*uploadMemory {
		u.buf = nil
	}
	return nil
}

// held is how much is collected.
func (u *uploader) held() int { return int(u.to-u.from) + len(u.buf) }

// partSize is the size of the next part.
func (u *uploader) partSize() int { return bucket.MinPart << (len(u.parts) / partsPerStep) }

// flush sends what fills whole parts.
func (u *uploader) flush(ctx context.Context) error {
	if u.err != nil {
		return u.err
	}
	for u.held() >= u.partSize() {
		if err := u.send(ctx, u.partSize()); err != nil {
			return err
		}
	}
	return u.compact()
}

// compact moves what is left in the scratch file to its beginning, so that the
// file gets no larger than a part and what comes on top of one. What is left is
// less than a part, so mostly it lies behind the place where it goes to.
func (u *uploader) compact() error {
	left := u.to - u.from
	if u.from == 0 || left > u.from {
		return nil
	}
	if _, err := io.Copy(io.NewOffsetWriter(u.file, 0), io.NewSectionReader(u.file, u.from, left)); err != nil {
		return fmt.Errorf("hold a part: %w", err)
	}
	u.from, u.to = 0, left
	return nil
}

// finish sends the rest. The upload stays pending: committing completes it.
func (u *uploader) finish(ctx context.Context) (FileUpload, error) {
	if err := u.flush(ctx); err != nil {
		return FileUpload{}, err
	}
	if n := u.held(); n > 0 || len(u.parts) == 0 {
		if err := u.send(ctx, n); err != nil {
			return FileUpload{}, err
		}
	}
	u.buf = nil
	return FileUpload{Upload: u.up, Parts: u.parts}, u.close()
}

// close gives the scratch file back.
func (u *uploader) close() error {
	if u.file == nil {
		return nil
	}
	file := u.file
	u.file = nil
	return file.Close()
}

// send sends the next n bytes.
func (u *uploader) send(ctx context.Context, n int) error {
	if len(u.parts) == 0 && u.up.ID == "" {
		up, err := u.store.CreateUpload(ctx, u.key)
		if err != nil {
			return fmt.Errorf("begin upload: %w", err)
		}
		u.up = up
	}
	var memory []byte
	select {
	case memory = <-u.slots:
		defer func() { u.slots <- memory }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var err error
	if memory, err = u.next(memory[:0], n); err != nil {
		return err
	}
	part, err := u.store.UploadPart(ctx, u.up, len(u.parts)+1, memory)
	if err != nil {
		return fmt.Errorf("upload part: %w", err)
	}
	u.parts = append(u.parts, part)
	return nil
}

// next takes the next n bytes out, into the given memory where that suffices.
func (u *uploader) next(body []byte, n int) ([]byte, error) {
	body = slices.Grow(body, n)[:n]
	filed := min(n, int(u.to-u.from))
	if filed > 0 {
		if _, err := u.file.ReadAt(body[:filed], u.from); err != nil && !errors.Is(err, io.EOF) {
			return body, fmt.Errorf("read a held part: %w", err)
		}
	}
	u.from += int64(filed)
	copy(body[filed:], u.buf)
	u.buf = u.buf[:copy(u.buf, u.buf[n-filed:])]
	return body, nil
}

// checksum is the SHA-256 of everything written.
func (u *uploader) checksum() string { return hex.EncodeToString(u.sum.Sum(nil)) }
