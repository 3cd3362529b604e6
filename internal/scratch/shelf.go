package scratch

import (
	"fmt"
	"os"
	"sync"
)

// Shelf keeps pieces of bytes on disk, for a while each. It is made of files without
// a name, which go when nothing of them is left: so it takes up about what it holds,
// if pieces leave roughly in the order in which they came. Safe for concurrent use.
type Shelf struct {
	Dir string // "" = the system's

	mu    sync.Mutex
	parts map[uint32]*shelfPart
	last  uint32 // where pieces are put
}

// Place is where a piece lies; the zero value is none.
type Place struct {
	part, n uint32
	at      int64
}

// Size is how many bytes the piece has.
func (p Place) Size() int64 { return int64(p.n) }

type shelfPart struct {
	file   *os.File
	end    int64
	pieces int
}

// shelfPartSize is where a part is full. A piece may be larger.
const shelfPartSize = 16 << 20

// Put lays a piece down.
func (s *Shelf) Put(piece []byte) (Place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.room()
	if err != nil {
		return Place{}, err
	}
	if _, err := p.file.WriteAt(piece, p.end); err != nil {
		return Place{}, fmt.Errorf("scratch file: %w", err)
	}
	at := Place{part: s.last, at: p.end, n: uint32(len(piece))} // far smaller
	p.end += int64(len(piece))
	p.pieces++
	return at, nil
}

// room is a part that is not full. mu is held.
func (s *Shelf) room() (*shelfPart, error) {
	if p := s.parts[s.last]; p != nil && (p.end < shelfPartSize || p.pieces == 0) {
		if p.pieces == 0 {
			p.end = 0
		}
		return p, nil
	}
	f, err := File(s.Dir, "syncer-shelf")
	if err != nil {
		return nil, err
	}
	if s.parts == nil {
		s.parts = map[uint32]*shelfPart{}
	}
	s.last++
	s.parts[s.last] = &shelfPart{file: f}
	return s.parts[s.last], nil
}

// Take takes a piece off the shelf.
func (s *Shelf) Take(at Place) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[at.part]
	if p == nil {
		return nil, fmt.Errorf("scratch file: %w", os.ErrClosed)
	}
	piece := make([]byte, at.n)
	if _, err := p.file.ReadAt(piece, at.at); err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	if p.pieces--; p.pieces == 0 && at.part != s.last {
		_ = p.file.Close() // frees disk; nothing is lost by an error
		delete(s.parts, at.part)
	}
	return piece, nil
}

// Close gives back what is left.
func (s *Shelf) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		_ = p.file.Close() // frees disk; nothing is lost by an error
	}
	s.parts = nil
}
