package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/bucket"
)

// fetchStep is how much of an object is asked for at once.
const fetchStep = 4 << 20

// scratchFile is a local file without a name; it implements parquet.Stored.
type scratchFile struct {
	*os.File
	size int64
}

// Size returns how much was written.
func (f *scratchFile) Size() int64 { return f.size }

// fetch copies an object to a scratch file of its own, which is the caller's to
// close.
func (v *verifier) fetch(ctx context.Context, path string) (*scratchFile, error) {
	r, err := v.store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	file, err := scratch.File(v.o.ScratchDir, "syncer-cursors")
	if err != nil {
		return nil, err
	}
	f := &scratchFile{File: file, size: r.Size()}
	if err := copyTo(f, r); err != nil {
		_ = f.Close() // that it could not be filled says enough
		return nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	return f, nil
}

func copyTo(w io.Writer, r bucket.Reader) error {
	step := make([]byte, min(fetchStep, max(r.Size(), 1)))
	for at := int64(0); at < r.Size(); {
		n, err := r.ReadAt(step[:min(int64(len(step)), r.Size()-at)], at)
		if err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return err
		}
		if _, err := w.Write(step[:n]); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
