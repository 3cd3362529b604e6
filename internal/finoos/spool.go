package finoos

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

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
	room   spoolRoom
	chunks []*chunk
	size   int64
	file   *os.File
	onDisk int64 // of the shared room there
	closed bool
}

// spoolRoom is where bodies are held, and how much of it they share.
type spoolRoom struct {
	memory Budget // nil for no bound
	disk   Disk   // nil for no bound
	dir    string
	full   func() // is called by who has to wait for others to give theirs back; nil for nobody
}

// diskStep is what a body takes of the shared room at a time.
const diskStep = 1 << 20

// diskPatience is how long a body waits for room. Somebody may hold two bodies, and
// wait for the room of the other.
const diskPatience = 30 * time.Second

var errNoRoom = errors.New("the answers that are being read hold all of finoos.max_scratch: raise it, or let fewer workers read")

func (c *Client) room() spoolRoom {
	return spoolRoom{memory: c.cfg.Budget, disk: c.cfg.Disk, dir: c.cfg.ScratchDir, full: func() {
		c.saidFull.Do(func() {
			c.log.Warn("answers wait for room on the disk: those being read hold all of finoos.max_scratch")
		})
	}}
}

// localError is a failure of this machine and not of the API.
type localError struct{ err error }

func (e *localError) Error() string { return "spool answer: " + e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// newSpool reads body to its end. An error of body is returned as it is, one of
// the scratch file, or of what all may hold there, as *localError, and a body
// beyond limit as errTooLarge.
func newSpool(ctx context.Context, body io.Reader, limit int64, room spoolRoom) (*spool, error) {
	s := &spool{room: room}
	if err := s.fill(ctx, body, limit); err != nil {
		closeQuietly(s)
		return nil, err
	}
	return s, nil
}

func (s *spool) fill(ctx context.Context, body io.Reader, limit int64) error {
	for s.room.memory == nil || s.room.memory.TryAcquire(chunkSize) {
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
	if err := s.spill(ctx); err != nil {
		return &localError{err}
	}
	return s.fillFile(ctx, body, limit)
}

// spill moves to a scratch file what is in memory.
func (s *spool) spill(ctx context.Context) error {
	if err := s.take(ctx, s.size); err != nil {
		return err
	}
	file, err := scratch.File(s.room.dir, "syncer-answer")
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

func (s *spool) fillFile(ctx context.Context, body io.Reader, limit int64) error {
	c := newChunk() // beyond the budget: one a body, or nothing could ever be spilled
	defer chunkPool.Put(c)
	for {
		n, err := readChunk(body, c)
		if s.size += int64(n); s.size > limit { // before it is written: the disk is bounded, too
			return errTooLarge
		}
		if err := s.take(ctx, s.size); err != nil {
			return &localError{err}
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

// take sees to it that so many bytes of the shared room on disk are this body's.
func (s *spool) take(ctx context.Context, size int64) error {
	if s.room.disk == nil {
		return nil
	}
	for s.onDisk < size {
		if !s.room.disk.TryAcquire(diskStep) {
			if err := s.wait(ctx); err != nil {
				return err
			}
		}
		s.onDisk += diskStep
	}
	return nil
}

func (s *spool) wait(ctx context.Context) error {
	if s.room.full != nil {
		s.room.full()
	}
	patient, cancel := context.WithTimeoutCause(ctx, diskPatience, errNoRoom)
	defer cancel()
	if err := s.room.disk.Acquire(patient, diskStep); err != nil {
		return context.Cause(patient)
	}
	return nil
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
		s.freeDisk()
		return nil
	}
	file := s.file
	s.file = nil
	err := file.Close()
	s.freeDisk() // not before: until then it takes its place
	return err
}

func (s *spool) freeMemory() {
	for _, c := range s.chunks {
		chunkPool.Put(c)
	}
	if s.room.memory != nil && len(s.chunks) > 0 {
		s.room.memory.Release(int64(len(s.chunks)) * chunkSize)
	}
	s.chunks = nil
}

func (s *spool) freeDisk() {
	if s.onDisk > 0 {
		s.room.disk.Release(s.onDisk)
	}
	s.onDisk = 0
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
