package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"

	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/bucket"
)

const (
	// partSize is the size of every part but the last: there are stores (Cloudflare
	// R2) that complete an upload only of parts of one size. The 10,000 that a store
	// takes hold 48 GiB, three times the largest file that may be asked for.
	partSize = bucket.MinPart
	// uploadMemory is up to how much an upload collects in memory. Every table has
	// one, so beyond that it is scratch files in which parts grow: one by turns is
	// read from, and one written to.
	uploadMemory = 512 << 10
	// partsAtOnce bounds the parts that are in memory to be sent: one after the
	// other is far more than the API brings.
	partsAtOnce = 1
)

// partSlots holds the memory for parts, as many as may be sent at once. It is
// shared by the uploads of a writer: a part is megabytes, and every table has an
// upload. A slot is taken by send alone, which gives it back before it returns and
// takes no lock meanwhile, so that who waits for one always gets it.
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
// need no context; flush sends. A part is sent while the next one is collected:
// a batch with rows for the table does not wait for the store.
//
//	Write ──► buf ──spill──► file   collects part n+1   ─┐ depart: they change
//	                         other  part n, in flight  ◄─┘ places, land is first
//	                           └──► slot of memory ──► store
//
// At most one part is in flight: depart waits for the one before, else parts would
// pile up on the disk faster than the store takes them. The flight reads from other
// and nobody writes there until it has landed. Not safe for concurrent use.
type uploader struct {
	store bucket.Uploads
	key   string
	slots partSlots
	dir   string // for scratch files

	// Written and not on its way yet: first what lies in the file, then buf.
	file  *os.File // nil until something has to go there
	sent  int64    // bytes at its beginning that are no part of that
	filed int64    // bytes in it
	buf   []byte
	err   error // of the file or a part

	flight *flight  // the part that is on its way; nil if none is
	other  *os.File // the file that it is read from, or nil

	up    bucket.Upload
	parts []bucket.Part
	bytes int64
	sum   hash.Hash
}

// flight is a part on its way to the store. Its goroutine ends with landed, which
// land or close waits for. What became of it may be read only then.
type flight struct {
	cancel context.CancelFunc
	landed chan struct{}
	part   bucket.Part
	err    error
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

// open opens the file that is collected in.
func (u *uploader) open() (err error) {
	if u.file == nil {
		if u.file, err = scratch.File(u.dir, "syncer-upload"); err != nil {
			return fmt.Errorf("hold a part: %w", err)
		}
	}
	return nil
}

// spill moves what is in memory to the file. What a write could not put there stays
// counted as held, and the error ends the upload.
func (u *uploader) spill() error {
	if err := u.open(); err != nil {
		return err
	}
	n, err := u.file.WriteAt(u.buf, u.filed)
	u.filed += int64(n)
	if err != nil {
		return fmt.Errorf("hold a part: %w", err)
	}
	u.buf = u.buf[:0]
	if cap(u.buf) > 2*uploadMemory {
		u.buf = nil
	}
	return nil
}

// held is how much is collected and not on its way.
func (u *uploader) held() int { return int(u.filed-u.sent) + len(u.buf) }

// flush begins to send what fills whole parts. Where a part is full before the
// one before it has landed, that is waited for. What went wrong with a part, this
// or the next call says.
func (u *uploader) flush(ctx context.Context) error {
	if u.err == nil {
		u.err = u.sendFull(ctx)
	}
	return u.err
}

func (u *uploader) sendFull(ctx context.Context) error {
	for {
		if u.held() < partSize {
			return nil
		}
		if err := u.land(ctx); err != nil {
			return err
		}
		if err := u.begin(ctx); err != nil {
			return err
		}
		if err := u.spill(); err != nil {
			return err
		}
		next := u.depart
		if u.held() >= 2*partSize { // it would be waited for at once
			next = u.sendOne
		}
		if err := next(ctx, partSize); err != nil {
			return err
		}
	}
}

// sendOne sends the first n bytes that the file holds.
func (u *uploader) sendOne(ctx context.Context, n int) error {
	part, err := u.send(ctx, len(u.parts)+1, io.NewSectionReader(u.file, u.sent, int64(n)), n)
	if err != nil {
		return err
	}
	u.parts = append(u.parts, part)
	u.sent += int64(n)
	return nil
}

// depart begins to send the first n bytes that the file holds. What follows them,
// less than another part, is collected in the other file.
func (u *uploader) depart(ctx context.Context, n int) error {
	body := io.NewSectionReader(u.file, u.sent, int64(n))
	rest := io.NewSectionReader(u.file, u.sent+int64(n), u.filed-u.sent-int64(n))
	u.file, u.other, u.sent = u.other, u.file, 0 // nothing reads from other: the part before has landed
	if err := u.open(); err != nil {
		return err
	}
	var err error
	if u.filed, err = io.Copy(io.NewOffsetWriter(u.file, 0), rest); err != nil {
		return fmt.Errorf("hold a part: %w", err)
	}
	f := &flight{landed: make(chan struct{})}
	// The batch that filled the part need not wait for it.
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	number := len(u.parts) + 1
	go func() {
		defer close(f.landed)
		f.part, f.err = u.send(ctx, number, body, n)
	}()
	u.flight = f
	return nil
}

// land waits for the part that is on its way, if one is.
func (u *uploader) land(ctx context.Context) error {
	f := u.flight
	if f == nil {
		return nil
	}
	select {
	case <-f.landed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	f.cancel()
	u.flight = nil
	if f.err != nil {
		return f.err
	}
	u.parts = append(u.parts, f.part)
	return nil
}

// finish sends the rest. The upload stays pending: committing completes it.
func (u *uploader) finish(ctx context.Context) (FileUpload, error) {
	if err := u.flush(ctx); err != nil {
		return FileUpload{}, err
	}
	if u.err = u.sendRest(ctx); u.err != nil {
		return FileUpload{}, u.err
	}
	return FileUpload{Upload: u.up, Parts: u.parts}, u.close()
}

func (u *uploader) sendRest(ctx context.Context) error {
	if err := u.land(ctx); err != nil {
		return err
	}
	n := u.held()
	if n == 0 && len(u.parts) > 0 {
		return nil
	}
	if err := u.begin(ctx); err != nil {
		return err
	}
	body := io.MultiReader(io.NewSectionReader(u.file, u.sent, u.filed-u.sent), bytes.NewReader(u.buf))
	part, err := u.send(ctx, len(u.parts)+1, body, n)
	if err != nil {
		return err
	}
	u.parts = append(u.parts, part)
	u.buf = nil
	return nil
}

// close gives up the part that is on its way, and gives the scratch files back: in
// this order, since the flight reads from one of them.
func (u *uploader) close() error {
	if u.flight != nil {
		u.flight.cancel()
		<-u.flight.landed
		u.flight = nil
	}
	var errs []error
	for _, file := range []*os.File{u.file, u.other} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	u.file, u.other = nil, nil
	return errors.Join(errs...)
}

// begin begins the upload if that was not done yet.
func (u *uploader) begin(ctx context.Context) (err error) {
	if u.up.ID != "" {
		return nil
	}
	if u.up, err = u.store.CreateUpload(ctx, u.key); err != nil {
		return fmt.Errorf("begin upload: %w", err)
	}
	return nil
}

// send sends n bytes as a part. It is safe beside all that is not close.
func (u *uploader) send(ctx context.Context, number int, body io.Reader, n int) (part bucket.Part, err error) {
	var memory []byte
	select {
	case memory = <-u.slots:
		defer func() { u.slots <- memory }()
	case <-ctx.Done():
		return part, context.Cause(ctx)
	}
	memory = slices.Grow(memory[:0], n)[:n]
	if _, err := io.ReadFull(body, memory); err != nil {
		return part, fmt.Errorf("read a held part: %w", err)
	}
	if part, err = u.store.UploadPart(ctx, u.up, number, memory); err != nil {
		return part, fmt.Errorf("upload part: %w", err)
	}
	return part, nil
}

// checksum is the SHA-256 of everything written.
func (u *uploader) checksum() string { return hex.EncodeToString(u.sum.Sum(nil)) }
