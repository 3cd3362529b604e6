package sink

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	nameless "finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/bucket"
)

// spool keeps cursor objects on the local disk while they are looked things up
// in, so that 256 look-ups cost one download. The files have no names. Safe
// for concurrent use.
type spool struct {
	store bucket.Objects
	dir   string

	mu    sync.Mutex
	files map[string]*spooled
}

// spooled is one object; its lock is held while it is fetched or read.
type spooled struct {
	mu   sync.Mutex
	file *scratchFile
	open *cursorFile
}

// read hands out an object that stays until close, to one reader at a time.
func (s *spool) read(ctx context.Context, path string, use func(*cursorFile)) error {
	s.mu.Lock()
	if s.files == nil {
		s.files = map[string]*spooled{}
	}
	entry := s.files[path]
	if entry == nil {
		entry = &spooled{}
		s.files[path] = entry
	}
	s.mu.Unlock()

	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.file == nil {
		f, err := s.fetch(ctx, path)
		if err != nil {
			return err
		}
		entry.file = f
	}
	if entry.open == nil {
		open, err := openCursorFile(entry.file)
		if err != nil {
			return err
		}
		entry.open = open
	}
	use(entry.open)
	return nil
}

// fetchStep is how much of an object is asked for at once.
const fetchStep = 4 << 20

// fetch copies an object to a scratch file, which is the caller's to close.
func (s *spool) fetch(ctx context.Context, path string) (*scratchFile, error) {
	r, err := s.store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	f, err := newScratchFile(s.dir)
	if err != nil {
		return nil, err
	}
	if err := f.fill(r); err != nil {
		_ = f.Close() // that it could not be filled says enough
		return nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	return f, nil
}

// close gives the disk space back.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range s.files {
		entry.mu.Lock()
		if entry.file != nil {
			_ = entry.file.Close() // it has no name and was only read
		}
		entry.mu.Unlock()
	}
	s.files = nil
}

// scratchFile is a local file without a name; it implements cursorReaderAt.
type scratchFile struct {
	*os.File
	size int64
}

func newScratchFile(dir string) (*scratchFile, error) {
	f, err := nameless.File(dir, "syncer-cursors")
	if err != nil {
		return nil, err
	}
	return &scratchFile{File: f}, nil
}

func (f *scratchFile) fill(r bucket.Reader) error {
	step := make([]byte, min(fetchStep, max(r.Size(), 1)))
	for f.size < r.Size() {
		n, err := r.ReadAt(step[:min(int64(len(step)), r.Size()-f.size)], f.size)
		if err != nil && (err != io.EOF || n == 0) { //nolint:errorlint // io.ReaderAt returns it bare
			return err
		}
		if _, err := f.Write(step[:n]); err != nil {
			return err
		}
		f.size += int64(n)
	}
	return nil
}

// Size returns how much was written.
func (f *scratchFile) Size() int64 { return f.size }
