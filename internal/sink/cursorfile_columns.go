package sink

import (
	"bytes"
	"time"

	"github.com/apache/arrow/go/v17/parquet"
)

// cursorColumn is one column of a cursor file: how it is written, and how it
// is read back. Columns are only ever added; they are read by name, and one
// that is not in a file is null.
type cursorColumn struct {
	field[Cursor]
	// key says that the column is read even where only keys are wanted. These
	// stand first, so that they lie side by side and are fetched at once.
	key bool
	// read stores the values of a row group; absent ones are left alone.
	read func(from *groupReader, into []Cursor)
}

const cursorBucketColumn = "bucket"

var cursorColumns = []cursorColumn{
	{
		// Never read: it is there for its statistics, and for people.
		field: fixed(cursorBucketColumn, TypeInt32, func(c *Cursor) (int32, bool) {
			return int32(BucketOf(c.UserID)), true
		}).required(),
		read: func(*groupReader, []Cursor) {},
	},
	cursorText("user_id", func(c *Cursor) *string { return &c.UserID }).asKey(),
	cursorText("stream", func(c *Cursor) *string { return &c.Stream }).asKey(),
	cursorFlag("ended", func(c *Cursor) *bool { return &c.Ended }).asKey(),
	cursorText("correlation_id", func(c *Cursor) *string { return &c.CorrelationID }).asUnique(),
	cursorInstant("correlation_at", func(c *Cursor) *time.Time { return &c.CorrelationAt }),
	cursorInstant("extracted_at", func(c *Cursor) *time.Time { return &c.ExtractedAt }),
	cursorInstant("full_at", func(c *Cursor) *time.Time { return &c.FullAt }),
	cursorInstant("pulled_at", func(c *Cursor) *time.Time { return &c.PulledAt }),
	cursorNumber("failures", func(c *Cursor) *int { return &c.Failures }),
	cursorInstant("retry_at", func(c *Cursor) *time.Time { return &c.RetryAt }),
	cursorText("error_class", func(c *Cursor) *string { return &c.ErrorClass }),
	cursorNumber("hash_version", func(c *Cursor) *int { return &c.HashVersion }),
	cursorBytes("state", func(c *Cursor) *[]byte { return &c.State }),
	cursorSeq("full_seq", func(c *Cursor) *uint64 { return &c.FullSeq }),
}

// asKey marks a column as part of what a cursor is found by.
func (c cursorColumn) asKey() cursorColumn {
	c.key = true
	c.field = c.required()
	return c
}

// asUnique turns the column's dictionary off.
func (c cursorColumn) asUnique() cursorColumn {
	c.field = c.unique()
	return c
}

func cursorText(name string, at func(*Cursor) *string) cursorColumn {
	return cursorColumn{
		field: text(name, func(c *Cursor) string { return *at(c) }),
		read: func(from *groupReader, into []Cursor) {
			last := ""
			readColumn(from, name, func(row int, v parquet.ByteArray) {
				if last != string(v) { // rows in a row share their user's id
					last = string(v)
				}
				*at(&into[row]) = last
			})
		},
	}
}

func cursorInstant(name string, at func(*Cursor) *time.Time) cursorColumn {
	return cursorColumn{
		field: instant(name, func(c *Cursor) time.Time { return *at(c) }),
		read: func(from *groupReader, into []Cursor) {
			readColumn(from, name, func(row int, v int64) { *at(&into[row]) = time.UnixMicro(v).UTC() })
		},
	}
}

func cursorNumber(name string, at func(*Cursor) *int) cursorColumn {
	return cursorColumn{
		field: fixed(name, TypeInt32, func(c *Cursor) (int32, bool) {
			return int32(*at(c)), true // failures in a row, versions
		}).required(),
		read: func(from *groupReader, into []Cursor) {
			readColumn(from, name, func(row int, v int32) { *at(&into[row]) = int(v) })
		},
	}
}

func cursorSeq(name string, at func(*Cursor) *uint64) cursorColumn {
	return cursorColumn{
		field: fixed(name, TypeInt64, func(c *Cursor) (int64, bool) {
			return int64(*at(c)), *at(c) > 0 // a number of the log
		}),
		read: func(from *groupReader, into []Cursor) {
			readColumn(from, name, func(row int, v int64) { *at(&into[row]) = uint64(v) }) // written from an uint64
		},
	}
}

func cursorFlag(name string, at func(*Cursor) *bool) cursorColumn {
	return cursorColumn{
		field: fixed(name, TypeBool, func(c *Cursor) (bool, bool) { return *at(c), true }).required(),
		read: func(from *groupReader, into []Cursor) {
			readColumn(from, name, func(row int, v bool) { *at(&into[row]) = v })
		},
	}
}

func cursorBytes(name string, at func(*Cursor) *[]byte) cursorColumn {
	return cursorColumn{
		field: opaque(name, func(c *Cursor) []byte { return *at(c) }),
		read: func(from *groupReader, into []Cursor) {
			readColumn(from, name, func(row int, v parquet.ByteArray) {
				*at(&into[row]) = bytes.Clone(v) // else it would keep its whole page
			})
		},
	}
}
