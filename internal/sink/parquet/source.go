package parquet

import (
	"errors"
	"fmt"
	"io"
)

const (
	// FooterGuess is how much of a file's end is fetched at once, in the hope that
	// the footer is within.
	FooterGuess = 64 << 10
	// WholeGuess is the same where all of a file is read: most have no more.
	WholeGuess = 1 << 20
)

// Stored is a file that lies somewhere, be it in a store.
type Stored interface {
	// ReadAt is as io.ReaderAt has it; each call may be a request.
	io.ReaderAt
	// Size returns how many bytes there are.
	Size() int64
}

// Source is a view of a file of which one range, the window, is held in memory:
// the small reads of the Parquet library are then no requests. It is not safe for
// concurrent use.
type Source struct {
	stored Stored
	size   int64
	window []byte
	from   int64
}

// NewSource returns a view without a window.
func NewSource(stored Stored) *Source { return &Source{stored: stored, size: stored.Size()} }

// FetchEnd makes the last bytes the window, as many as guessed.
func (s *Source) FetchEnd(guess int64) error { return s.Fetch(max(0, s.size-guess), s.size) }

// Fetch makes a range the window, with one read, unless the window holds it. A
// range that is not in the file is ErrCorrupt.
func (s *Source) Fetch(from, to int64) error {
	if from >= s.from && to <= s.from+int64(len(s.window)) {
		return nil
	}
	if from < 0 || to < from || to > s.size {
		return fmt.Errorf("%w: no bytes %d to %d in %d", ErrCorrupt, from, to, s.size)
	}
	window := make([]byte, to-from)
	n, err := s.stored.ReadAt(window, from)
	if n < len(window) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	s.window, s.from = window, from
	return nil
}

// bytes returns a range, of the window if it lies in there, else read by itself. It is
// not to be changed.
func (s *Source) bytes(from, to int64) ([]byte, error) {
	window, begin := s.window, s.from
	if err := s.Fetch(from, to); err != nil {
		return nil, err
	}
	b := s.window[from-s.from : to-s.from : to-s.from]
	s.window, s.from = window, begin // what was fetched on purpose stays
	return b, nil
}
