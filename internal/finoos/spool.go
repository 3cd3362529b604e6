package finoos

import (
	"errors"
	"io"
	"os"
	"sync"

	"finoos-syncer/internal/scratch"
)

// chunkSize is the step in which bodies take memory from the budget.
const chunkSize = 64 << 10

type chunk [chunkSize]byte

var chunkPool sync.Pool // of *chunk

var (
	errTooLarge = errors.New("larger than the limit")
	errClosed   = errors.New("list is closed")
)

// spool holds one complete body: in memory as far as the budget goes, else as
// a whole in a scratch file. The file is unlinked as soon as it is open, so
// that not even a killed process leaves a bank statement on the disk.
type spool struct {
	budget Budget
	chunks []*chunk
	size   int64
	file   *os.File
	closed bool
}

// localError is a failure of this machine and not of the API.
type localError struct{ err error }

func (e *localError) Error() string { return "spool answer: " + e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// newSpool reads body to its end. An error of body is returned as it is, one of
// the scratch file as *localError, and a body beyond limit as errTooLarge.
func newSpool(body io.Reader, limit int64, budget Budget, dir string) (*spool, error) {
	s := &spool{budget: budget}
	if err := s.fill(body, limit, dir); err != nil {
		closeQuietly(s)
		return nil, err
	}
	return s, nil
}

func (s *spool) fill(body io.Reader, limit int64, dir string) error {
	for s.budget == nil || s.budget.TryAcquire(chunkSize) {
		c := newChunk()
		s.chunks = append(s.chunks, c)
		n, err := readChunk(body, c)
		s.size += int64(n)
		switch {
		case s.size > limit:
			return errTooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	if err := s.spill(dir); err != nil {
		return &localError{err}
	}
	return s.fillFile(body, limit)
}

// spill moves to a scratch file what is in memory.
func (s *spool) spill(dir string) error {
	file, err := scratch.File(dir, "syncer-answer")
	if err != nil {
		return err
	}
	s.file = file
	for _, c := range s.chunks { // all of them are full: a short one ends a body
		if _, err := file.Write(c[:]); err != nil {
			return err
		}
	}
	s.freeMemory() // the budget serves other bodies while this one goes on in the file
	return nil
}

func (s *spool) fillFile(body io.Reader, limit int64) error {
	c := newChunk() // beyond the budget: one a body, or nothing could ever be spilled
	defer chunkPool.Put(c)
	for {
		n, err := readChunk(body, c)
		if s.size += int64(n); s.size > limit { // before it is written: the disk is bounded, too
			return errTooLarge
		}
		if _, err := s.file.Write(c[:n]); err != nil {
			return &localError{err}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// reader reads the body from its start. Any number of them may be in use.
func (s *spool) reader() io.Reader {
	switch {
	case s.closed:
		return failedReader{errClosed}
	case s.file != nil:
		return &fileReader{io.NewSectionReader(s.file, 0, s.size)}
	}
	return &chunkReader{chunks: s.chunks, left: s.size}
}

// tail is the end of the body, of at most so many bytes.
func (s *spool) tail(n int64) ([]byte, error) {
	if s.closed {
		return nil, errClosed
	}
	n = min(n, s.size)
	tail := make([]byte, 0, n+2) // parseValue writes two bytes behind it
	if s.file != nil {
		_, err := s.file.ReadAt(tail[:n], s.size-n)
		return tail[:n], err
	}
	for at := s.size - n; at < s.size; {
		c := s.chunks[at/chunkSize][at%chunkSize:]
		c = c[:min(int64(len(c)), s.size-at)]
		tail = append(tail, c...)
		at += int64(len(c))
	}
	return tail, nil
}

// Close gives back memory and disk. Readers from before must not be used again: the
// pool hands their chunks to other bodies.
func (s *spool) Close() error {
	s.closed = true
	s.freeMemory()
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return file.Close()
}

func (s *spool) freeMemory() {
	for _, c := range s.chunks {
		chunkPool.Put(c)
	}
	if s.budget != nil && len(s.chunks) > 0 {
		s.budget.Release(int64(len(s.chunks)) * chunkSize)
	}
	s.chunks = nil
}

func newChunk() *chunk {
	if c, ok := chunkPool.Get().(*chunk); ok {
		return c
	}
	return new(chunk)
}

// readChunk fills c unless r ends or fails before. It differs from
// [io.ReadFull] in that it passes on the error as r gave it: a cut connection
// reads as [io.ErrUnexpectedEOF], a short last chunk as [io.EOF].
func readChunk(r io.Reader, c *chunk) (n int, err error) {
	for n < len(c) && err == nil {
		var m int
		m, err = r.Read(c[n:])
		n += m
	}
	return n, err
}

// closeQuietly closes what was only read: nothing can be lost by it.
func closeQuietly(c io.Closer) { _ = c.Close() }

type chunkReader struct {
	chunks []*chunk
	at     int64
	left   int64
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	c := r.chunks[r.at/chunkSize][r.at%chunkSize:]
	n := copy(p, c[:min(int64(len(c)), r.left)])
	r.at += int64(n)
	r.left -= int64(n)
	return n, nil
}

type fileReader struct{ r io.Reader }

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &localError{err}
	}
	return n, err
}

type failedReader struct{ err error }

func (r failedReader) Read([]byte) (int, error) { return 0, r.err }
