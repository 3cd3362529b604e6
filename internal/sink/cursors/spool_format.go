package cursors

import (
	"encoding/binary"
	"fmt"
	"time"

	"finoos-syncer/internal/sink/parquet"
)

// Cursor objects are looked things up in by bucket of users, and by each bucket
// there are. So they are taken apart once, when they are fetched: in the scratch
// file the cursors of a bucket lie side by side, and reading them is no more than
// that. The format is nobody's but this process's.
//
// A cursor is its length, then what it is found by, then the length of the rest
// and that.

func appendSpooled(b []byte, c *Cursor) []byte {
	body := appendSized(appendSized(nil, c.UserID), c.Stream)
	body = append(body, boolByte(c.Ended))
	body = appendSized(body, c.CorrelationID)
	body = appendInstants(body, c.instants())
	body = binary.AppendVarint(binary.AppendVarint(body, int64(c.Failures)), int64(c.HashVersion))
	body = binary.AppendUvarint(appendSized(body, c.ErrorClass), c.FullSeq)
	body = append(body, c.State...)
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// instants are the instants of a cursor, in the order in which they are spooled.
func (c *Cursor) instants() [5]*time.Time {
	return [5]*time.Time{&c.CorrelationAt, &c.ExtractedAt, &c.FullAt, &c.PulledAt, &c.RetryAt}
}

func appendInstants(b []byte, instants [5]*time.Time) []byte {
	var known byte
	for i, at := range instants {
		known |= boolByte(!at.IsZero()) << i
	}
	b = append(b, known)
	for _, at := range instants {
		if !at.IsZero() {
			b = binary.AppendVarint(b, at.UnixMicro())
		}
	}
	return b
}

func appendSized(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// spooledReader takes apart what appendSpooled wrote.
type spooledReader struct {
	b   []byte
	bad bool
}

func (r *spooledReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *spooledReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.take(uint64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

func (r *spooledReader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.take(uint64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

func (r *spooledReader) sized() []byte { return r.take(r.uvarint()) }

func (r *spooledReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// decodeSpooled reads one cursor, of its own or only what it is found by. user is
// the id of the one before, which is mostly the same.
func decodeSpooled(body []byte, all bool, user string) (c Cursor, err error) {
	r := &spooledReader{b: body}
	if id := r.sized(); string(id) != user {
		user = string(id)
	}
	c.UserID, c.Stream, c.Ended = user, string(r.sized()), r.byte() == 1
	if all && !r.bad {
		c.CorrelationID = string(r.sized())
		known := r.byte()
		for i, at := range c.instants() {
			if known>>i&1 == 1 {
				*at = time.UnixMicro(r.varint()).UTC()
			}
		}
		c.Failures, c.HashVersion = int(r.varint()), int(r.varint())
		c.ErrorClass, c.FullSeq = string(r.sized()), r.uvarint()
		if len(r.b) > 0 {
			c.State = append([]byte(nil), r.b...)
		}
	}
	if r.bad {
		return c, fmt.Errorf("%w: spooled cursor of %d bytes", parquet.ErrCorrupt, len(body))
	}
	return c, nil
}
