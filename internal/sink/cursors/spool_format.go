package cursors

import (
	"encoding/binary"
	"fmt"
	"time"

	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/parquet"
)

// Cursor objects are looked things up in by bucket of users, and by each bucket
// there are. So they are taken apart once, when they are fetched: in the scratch
// file the cursors of a bucket lie side by side, and reading them is no more than
// that. The format is nobody's but this process's.
//
// A cursor is its length, then what it is found by, then the length of the rest
// and that.

// Append appends a cursor, and what a merge has filled in, for this process to read
// again with [Read].
func Append(b []byte, c *Cursor) []byte {
	b = append(appendSpooled(b, c), boolByte(c.Backfilled)|boolByte(c.MarkOnly)<<1|boolByte(!c.BackfilledAt.IsZero())<<2)
	if !c.BackfilledAt.IsZero() {
		b = binary.AppendVarint(b, c.BackfilledAt.UnixMicro())
	}
	return b
}

// Read reads a cursor that was appended.
func Read(r *scratch.Reader) (Cursor, error) {
	c, err := decodeSpooled(r.Sized(), true, "")
	if err != nil {
		return Cursor{}, err
	}
	bits := r.Byte()
	c.Backfilled, c.MarkOnly = bits&1 > 0, bits&2 > 0
	if bits&4 > 0 {
		c.BackfilledAt = time.UnixMicro(r.Varint()).UTC()
	}
	if r.Failed() {
		return Cursor{}, fmt.Errorf("%w: cursor", parquet.ErrCorrupt)
	}
	return c, nil
}

func appendSpooled(b []byte, c *Cursor) []byte {
	body := scratch.AppendString(scratch.AppendString(nil, c.UserID), c.Stream)
	body = append(body, boolByte(c.Ended))
	body = scratch.AppendString(body, c.CorrelationID)
	body = appendInstants(body, c.instants())
	body = binary.AppendVarint(binary.AppendVarint(body, int64(c.Failures)), int64(c.HashVersion))
	body = binary.AppendUvarint(scratch.AppendString(body, c.ErrorClass), c.FullSeq)
	body = append(body, boolByte(c.Whole)|boolByte(c.Erased)<<1)
	body = append(body, c.State...)
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// instants are the instants of a cursor, in the order in which they are spooled.
func (c *Cursor) instants() [7]*time.Time {
	return [7]*time.Time{&c.CorrelationAt, &c.ExtractedAt, &c.FullAt, &c.PulledAt, &c.RetryAt, &c.FirstSeenAt, &c.JoinedAt}
}

func appendInstants(b []byte, instants [7]*time.Time) []byte {
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

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decodeSpooled reads one cursor, of its own or only what it is found by. user is
// the id of the one before, which is mostly the same.
func decodeSpooled(body []byte, all bool, user string) (c Cursor, err error) {
	r := scratch.NewReader(body)
	if id := r.Sized(); string(id) != user {
		user = string(id)
	}
	c.UserID, c.Stream, c.Ended = user, string(r.Sized()), r.Byte() == 1
	if all && !r.Failed() {
		c.CorrelationID = string(r.Sized())
		known := r.Byte()
		for i, at := range c.instants() {
			if known>>i&1 == 1 {
				*at = time.UnixMicro(r.Varint()).UTC()
			}
		}
		c.Failures, c.HashVersion = int(r.Varint()), int(r.Varint())
		c.ErrorClass, c.FullSeq = string(r.Sized()), r.Uvarint()
		bits := r.Byte()
		c.Whole, c.Erased = bits&1 > 0, bits&2 > 0
		if len(r.Rest()) > 0 {
			c.State = append([]byte(nil), r.Rest()...)
		}
	}
	if r.Failed() {
		return c, fmt.Errorf("%w: spooled cursor of %d bytes", parquet.ErrCorrupt, len(body))
	}
	return c, nil
}
