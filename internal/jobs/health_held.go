package jobs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/scratch"
)

// heldUser is a user of whom something is left for later in the run: an id, and
// what it is about. Its cursors are read again then.
type heldUser struct {
	id    string
	so    soFar
	parts []heldPart
}

// heldPart is one stream, and why it is held.
type heldPart struct {
	stream config.Stream
	data   bool // what is down is the data, not the correlation
	tried  bool // it has failed for this user, who was not only passed over
	what   unsaid
	note   string // what the cursor is to remember of it
}

// op is the part that a stream waits for.
func (p heldPart) op() apiPart {
	if op, ok := correlationsOf(p.stream); ok && !p.data {
		return op
	}
	return dataOf(p.stream)
}

// soFar is what has become of a user's other streams.
type soFar struct {
	pulled, failed, noAnalysis, notBooked, quarantined bool
	returns                                            uint8 // how often it has come back
}

// heldUsers holds users in memory, and in a scratch file when they are many: a
// million of them cost no memory. It guards itself.
type heldUsers struct {
	dir string

	mu      sync.Mutex
	memory  []byte
	file    *os.File // nil until memory is full; without a name
	written int64
	count   map[apiPart]int64 // users who wait for it
}

// heldMemory is how many bytes of them are held before they move to the file.
const heldMemory = 1 << 20

func (h *heldUsers) add(u heldUser) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.memory = appendHeld(h.memory, u)
	if h.count == nil {
		h.count = map[apiPart]int64{}
	}
	for i, p := range u.parts {
		if !slices.ContainsFunc(u.parts[:i], func(before heldPart) bool { return before.op() == p.op() }) {
			h.count[p.op()]++
		}
	}
	if len(h.memory) < heldMemory {
		return nil
	}
	return h.spill()
}

// spill moves memory to the file. mu is held.
func (h *heldUsers) spill() error {
	if h.file == nil {
		f, err := scratch.File(h.dir, "syncer-held")
		if err != nil {
			return fmt.Errorf("hold users for later: %w", err)
		}
		h.file = f
	}
	n, err := h.file.Write(h.memory)
	if err != nil {
		return fmt.Errorf("hold users for later: %w", err)
	}
	h.written += int64(n)
	h.memory = h.memory[:0]
	return nil
}

// waiting is how many users wait for a part.
func (h *heldUsers) waiting(op apiPart) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count[op]
}

// anyFor reports whether a user waits for a part of which ok says that it
// need not.
func (h *heldUsers) anyFor(ok func(apiPart) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for op, n := range h.count {
		if n > 0 && ok(op) {
			return true
		}
	}
	return false
}

// take takes out all of them, in the order in which they came.
func (h *heldUsers) take() *heldBatch {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := &heldBatch{memory: h.memory, file: h.file, left: h.written}
	h.memory, h.file, h.written, h.count = nil, nil, 0, nil
	return b
}

func (h *heldUsers) close() { h.take().close() }

// heldBatch reads held users back.
type heldBatch struct {
	memory []byte // behind the file
	file   *os.File
	at     int64
	left   int64
	buffer []byte
}

// next returns false at the end.
func (b *heldBatch) next() (heldUser, bool, error) {
	for {
		if u, rest, err := decodeHeld(b.buffer); err == nil {
			b.buffer = rest
			return u, true, nil
		}
		if b.left == 0 && len(b.memory) == 0 {
			if len(b.buffer) > 0 {
				return heldUser{}, false, errors.New("read held users: the scratch file has changed")
			}
			return heldUser{}, false, nil
		}
		if err := b.fill(); err != nil {
			return heldUser{}, false, err
		}
	}
}

func (b *heldBatch) fill() error {
	if b.left == 0 {
		b.buffer, b.memory = append(b.buffer, b.memory...), nil
		return nil
	}
	n := min(b.left, 64<<10)
	had := len(b.buffer)
	b.buffer = append(slices.Clone(b.buffer), make([]byte, n)...)
	if _, err := b.file.ReadAt(b.buffer[had:], b.at); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read held users: %w", err)
	}
	b.at, b.left = b.at+n, b.left-n
	return nil
}

func (b *heldBatch) close() {
	if b.file != nil {
		_ = b.file.Close() // frees disk; nothing is lost by an error
	}
	b.file, b.left, b.memory, b.buffer = nil, 0, nil, nil
}

// Bits of what is written.
const (
	heldData = 1 << iota
	heldTried
	heldLost
	heldNotBooked
)

func appendHeld(b []byte, u heldUser) []byte {
	b = scratch.AppendString(b, u.id)
	var so byte
	for i, bit := range []bool{u.so.pulled, u.so.failed, u.so.noAnalysis, u.so.notBooked, u.so.quarantined} {
		if bit {
			so |= 1 << i
		}
	}
	b = append(b, so, u.so.returns)
	b = binary.AppendUvarint(b, uint64(len(u.parts)))
	for _, p := range u.parts {
		var bits byte
		for bit, set := range map[byte]bool{heldData: p.data, heldTried: p.tried, heldLost: p.what == lostAnalysis, heldNotBooked: p.what == notBooked} {
			if set {
				bits |= bit
			}
		}
		b = append(b, bits)
		b = scratch.AppendString(b, string(p.stream))
		b = scratch.AppendString(b, p.note)
	}
	return b
}

var errHeld = errors.New("a held user cannot be decoded")

func decodeHeld(b []byte) (u heldUser, rest []byte, err error) {
	d := scratch.NewReader(b)
	u.id = d.String()
	so := d.Byte()
	u.so = soFar{pulled: so&1 > 0, failed: so&2 > 0, noAnalysis: so&4 > 0, notBooked: so&8 > 0, quarantined: so&16 > 0}
	u.so.returns = d.Byte()
	for range d.Count(3) {
		bits := d.Byte()
		p := heldPart{data: bits&heldData > 0, tried: bits&heldTried > 0, stream: config.Stream(d.String()), note: d.String()}
		switch {
		case bits&heldLost > 0:
			p.what = lostAnalysis
		case bits&heldNotBooked > 0:
			p.what = notBooked
		}
		u.parts = append(u.parts, p)
	}
	if d.Failed() || u.id == "" {
		return heldUser{}, nil, errHeld
	}
	return u, d.Rest(), nil
}
