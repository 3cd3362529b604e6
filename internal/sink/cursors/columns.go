package cursors

import (
	"bytes"
	"time"

	"finoos-syncer/internal/sink/parquet"
)

// cursorColumn is one column of a cursor file: how it is written, and how it
// is read back. Columns are only ever added; they are read by name, and one
// that is not in a file is null.
type cursorColumn struct {
	parquet.Field[Cursor]
	// key says that the column is read even where only keys are wanted. These
	// stand first, so that they lie side by side and are fetched at once.
	key bool
	// read stores the values of a row group; absent ones are left alone.
	read func(from *parquet.Group, into []Cursor)
}

const cursorBucketColumn = "bucket"

var cursorColumns = []cursorColumn{
	{
		// Never read: it is there for its statistics, and for people.
		Field: parquet.Fixed(cursorBucketColumn, parquet.Int32, func(c *Cursor) (int32, bool) {
			return int32(BucketOf(c.UserID)), true
		}).NotNull(),
		read: func(*parquet.Group, []Cursor) {},
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
	cursorFlag("whole", func(c *Cursor) *bool { return &c.Whole }),
	cursorInstant("first_seen_at", func(c *Cursor) *time.Time { return &c.FirstSeenAt }),
	cursorFlag("erased", func(c *Cursor) *bool { return &c.Erased }),
	cursorInstant("joined_at", func(c *Cursor) *time.Time { return &c.JoinedAt }),
}

// asKey marks a column as part of what a cursor is found by.
func (c cursorColumn) asKey() cursorColumn {
	c.key = true
	c.Field = c.NotNull()
	return c
}

// asUnique turns the column's dictionary off.
func (c cursorColumn) asUnique() cursorColumn {
	c.Field = c.Unique()
	return c
}

func cursorText(name string, at func(*Cursor) *string) cursorColumn {
	return cursorColumn{
		Field: parquet.Text(name, func(c *Cursor) string { return *at(c) }),
		read: func(from *parquet.Group, into []Cursor) {
			last := ""
			parquet.ReadText(from, name, func(row int, v []byte) {
				if last != string(v) { // rows in a row share their user's id
					if !from.Keep(len(v)) {
						return
					}
					last = string(v)
				}
				*at(&into[row]) = last
			})
		},
	}
}

func cursorInstant(name string, at func(*Cursor) *time.Time) cursorColumn {
	return cursorColumn{
		Field: parquet.Instant(name, func(c *Cursor) time.Time { return *at(c) }),
		read: func(from *parquet.Group, into []Cursor) {
			parquet.Read(from, name, func(row int, v int64) { *at(&into[row]) = time.UnixMicro(v).UTC() })
		},
	}
}

func cursorNumber(name string, at func(*Cursor) *int) cursorColumn {
	return cursorColumn{
		Field: parquet.Fixed(name, parquet.Int32, func(c *Cursor) (int32, bool) {
			return int32(*at(c)), true // failures in a row, versions
		}).NotNull(),
		read: func(from *parquet.Group, into []Cursor) {
			parquet.Read(from, name, func(row int, v int32) { *at(&into[row]) = int(v) })
		},
	}
}

func cursorSeq(name string, at func(*Cursor) *uint64) cursorColumn {
	return cursorColumn{
		Field: parquet.Fixed(name, parquet.Int64, func(c *Cursor) (int64, bool) {
			return int64(*at(c)), *at(c) > 0 // a number of the log
		}),
		read: func(from *parquet.Group, into []Cursor) {
			parquet.Read(from, name, func(row int, v int64) { *at(&into[row]) = uint64(v) }) // written from an uint64
		},
	}
}

func cursorFlag(name string, at func(*Cursor) *bool) cursorColumn {
	return cursorColumn{
		Field: parquet.Fixed(name, parquet.Bool, func(c *Cursor) (bool, bool) { return *at(c), true }).NotNull(),
		read: func(from *parquet.Group, into []Cursor) {
			parquet.Read(from, name, func(row int, v bool) { *at(&into[row]) = v })
		},
	}
}

func cursorBytes(name string, at func(*Cursor) *[]byte) cursorColumn {
	return cursorColumn{
		Field: parquet.Opaque(name, func(c *Cursor) []byte { return *at(c) }),
		read: func(from *parquet.Group, into []Cursor) {
			parquet.ReadText(from, name, func(row int, v []byte) {
				if from.Keep(len(v)) {
					*at(&into[row]) = bytes.Clone(v) // else it would keep its whole page
				}
			})
		},
	}
}
