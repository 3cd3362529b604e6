package cursors

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/parquet"
)

// Spool keeps cursor objects on the local disk while they are looked things up
// in, so that 256 look-ups cost one download and are quick (spool_format.go).
//
//	object of a commit          scratch file, without a name
//	┌───────────────────┐       ┌─────────────────────────────┐
//	│ row group 1  b0 b1├──────►│ b0 · b1 · b1 · b2 · b0 · b2 │ parts
//	│ row group 2  b1 b2│ once  └─▲────────▲──────────────────┘
//	└───────────────────┘         in memory: where each part lies
//
// All of them lie in one file. In memory it is a few kilobytes an object, of which
// a run that was killed may leave hundreds.
//
// Two locks: that of the spool is held for a moment only, to look at the map and to
// give out room in the file, never while the store or the disk is waited for. That of
// an object is held while it is fetched, so that whoever wants the same one waits,
// and who wants another does not. A goroutine takes an object's first, and at most
// one of these: there is no circle to wait in.
//
// It is safe for concurrent use.
type Spool struct {
	store bucket.Objects
	dir   string

	mu      sync.Mutex
	objects map[string]*spooled
	file    *os.File // nil until something is fetched
	end     int64    // of what is in use of it
}

// NewSpool returns an empty spool, whose file will lie in a folder; "" is the
// system's.
func NewSpool(store bucket.Objects, dir string) *Spool {
	return &Spool{store: store, dir: dir}
}

// spooled is one object; its lock is held while it is fetched.
type spooled struct {
	mu    sync.Mutex
	parts []spooledPart // in the order of the object, which is by bucket; nil until it is fetched
}

// spooledPart is where the cursors of a bucket lie that stood in a row group.
type spooledPart struct {
	at     int64
	size   uint32
	bucket uint8
}

const (
	// fetchersAtOnce bounds concurrent requests for cursor objects, each of which
	// holds a row group.
	fetchersAtOnce = 4
	// spooledStep is how much of a bucket is read at once: many objects may have
	// something of it.
	spooledStep = 64 << 10
)

// errSpoolClosed is the answer to reading after close.
var errSpoolClosed = errors.New("the writer is closed")

// Bucket yields the cursors of a bucket as next, some at a time, until more is
// false: only what they are found by unless all is set. It fetches the object if it
// is not there yet.
func (s *Spool) Bucket(ctx context.Context, o Object, b int, all bool) (next func() (cursors []Cursor, more bool, err error), err error) {
	parts, err := s.parts(ctx, o, b)
	if err != nil {
		return nil, err
	}
	return func() (cursors []Cursor, more bool, err error) {
		for len(parts) > 0 && parts[0].size == 0 {
			parts = parts[1:]
		}
		if len(parts) == 0 {
			return nil, false, nil
		}
		cursors, parts[0], err = s.read(parts[0], all)
		return cursors, true, err
	}, nil
}

// parts returns where the cursors of a bucket lie, after fetching the object if
// it is not there yet.
func (s *Spool) parts(ctx context.Context, o Object, b int) ([]spooledPart, error) {
	entry := s.entry(o.Path)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.parts == nil {
		parts, err := s.add(ctx, o)
		if err != nil {
			return nil, err
		}
		entry.parts = parts
	}
	from := sort.Search(len(entry.parts), func(i int) bool { return int(entry.parts[i].bucket) >= b })
	to := from + sort.Search(len(entry.parts)-from, func(i int) bool { return int(entry.parts[from+i].bucket) > b })
	return slices.Clone(entry.parts[from:to]), nil
}

func (s *Spool) entry(path string) *spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[string]*spooled{}
	}
	entry := s.objects[path]
	if entry == nil {
		entry = &spooled{}
		s.objects[path] = entry
	}
	return entry
}

// FetchAll fetches what is not there yet, several objects at a time.
func (s *Spool) FetchAll(ctx context.Context, objects []Object) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchersAtOnce)
	for _, o := range objects {
		g.Go(func() error {
			_, err := s.parts(ctx, o, 0)
			return err
		})
	}
	return g.Wait()
}

// add takes an object apart into the file of all. It is fetched whole and compared with
// what is known of it before any of it is believed.
func (s *Spool) add(ctx context.Context, o Object) (parts []spooledPart, err error) {
	r, err := s.store.Open(ctx, o.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	f, local, err := o.Open(r, s.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = local.Close() }() // only read
	parts = []spooledPart{}
	for group := range f.bounds {
		cursors, err := f.readGroup(group, true)
		if err != nil {
			return nil, fmt.Errorf("%w: %s cannot be read: %w", ErrDamaged, o.Path, err)
		}
		more, err := s.write(cursors)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return parts, nil
}

// write appends cursors that are sorted by bucket.
func (s *Spool) write(cursors []Cursor) (parts []spooledPart, err error) {
	var body []byte
	begun := 0
	for i := range cursors {
		b := BucketOf(cursors[i].UserID)
		if n := len(parts); n == 0 || int(parts[n-1].bucket) != b {
			begun = len(body)
			parts = append(parts, spooledPart{at: int64(begun), bucket: uint8(b)}) // below 256
		}
		body = appendSpooled(body, &cursors[i])
		parts[len(parts)-1].size = uint32(len(body) - begun) // a row group is far smaller
	}
	file, at, err := s.reserve(int64(len(body)))
	if err != nil {
		return nil, err
	}
	for i := range parts {
		parts[i].at += at
	}
	if _, err := file.WriteAt(body, at); err != nil {
		return nil, fmt.Errorf("spool cursors: %w", err)
	}
	return parts, nil
}

// reserve finds a place for n bytes.
func (s *Spool) reserve(n int64) (file *os.File, at int64, err error) {
	// Room is given out under the lock, and filled without it: objects that are
	// fetched side by side write to places of their own.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if s.file, err = scratch.File(s.dir, "syncer-cursors"); err != nil {
			return nil, 0, err
		}
	}
	at = s.end
	s.end += n
	return s.file, at, nil
}

// read returns the next cursors of a part, and what is left of it. A cursor may be
// larger than a step: then twice as much is read, until it is whole.
func (s *Spool) read(p spooledPart, all bool) (cursors []Cursor, rest spooledPart, err error) {
	s.mu.Lock()
	file := s.file
	s.mu.Unlock()
	if file == nil {
		return nil, p, errSpoolClosed
	}
	for step := min(spooledStep, int(p.size)); ; step = min(2*step, int(p.size)) {
		body := make([]byte, step)
		if _, err := file.ReadAt(body, p.at); err != nil && !errors.Is(err, io.EOF) {
			return nil, p, fmt.Errorf("read spooled cursors: %w", err)
		}
		user, used := "", 0
		for used < len(body) {
			n, prefix := binary.Uvarint(body[used:])
			if prefix <= 0 || n > uint64(len(body)-used-prefix) { // used and prefix are within body
				break // it goes on beyond
			}
			end := used + prefix + int(n) // within body
			c, err := decodeSpooled(body[used+prefix:end], all, user)
			if err != nil {
				return nil, p, err
			}
			cursors, user, used = append(cursors, c), c.UserID, end
		}
		if used > 0 || step == int(p.size) {
			rest = spooledPart{at: p.at + int64(used), size: p.size - uint32(used), bucket: p.bucket}
			if used == 0 && p.size > 0 {
				return nil, p, fmt.Errorf("%w: spooled cursors end early", parquet.ErrCorrupt)
			}
			return cursors, rest, nil
		}
	}
}

// Close gives the disk space back. What is read after it fails.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close() // it has no name and was only read
	}
	s.objects, s.file, s.end = nil, nil, 0
}
