package scratch

import (
	"encoding/binary"
	"math"
)

// Reader reads what was appended to bytes of this process's own making: lengths
// and numbers as varints, texts behind their length, fixed-width numbers in
// little-endian order. It checks every bound, so that damaged bytes cost neither
// a panic nor memory: the first failure sticks, and everything read from then on
// is zero. [Reader.Failed] has to be asked before anything of it is used.
type Reader struct {
	b    []byte
	text string // ends in b, for texts that need no memory of their own; or ""
	bad  bool
}

// NewReader reads b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// NewTextReader reads b, which text ends in: texts are parts of text, and keep it
// alive. An empty text makes them copies.
func NewTextReader(b []byte, text string) *Reader { return &Reader{b: b, text: text} }

// Fail makes the reader fail.
func (r *Reader) Fail() { r.bad = true }

// Failed says that the bytes are not what they should be.
func (r *Reader) Failed() bool { return r.bad }

// Rest is what has not been read.
func (r *Reader) Rest() []byte { return r.b }

// Take reads n bytes, which are part of those that are read.
func (r *Reader) Take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// Uvarint reads an unsigned number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Varint reads a number.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Uint32 reads four bytes.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); len(b) == 4 {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads eight bytes.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Sized reads bytes behind their length; they are part of those that are read.
func (r *Reader) Sized() []byte { return r.Take(r.Uvarint()) }

// String reads a text behind its length.
func (r *Reader) String() string {
	b := r.Sized()
	if r.text == "" {
		return string(b)
	}
	end := len(r.text) - len(r.b)
	return r.text[end-len(b) : end]
}

// Count reads a number of items of at least size bytes each, so that damaged
// bytes cannot ask for more memory than there are of them.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > math.MaxInt32 || int(n) > len(r.b)/size {
		r.bad = true
		return 0
	}
	return int(n)
}

// AppendString appends a text behind its length.
func AppendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
