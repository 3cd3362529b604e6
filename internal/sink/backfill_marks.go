package sink

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/sink/cursors"
)

// A mark is a row of a cursor object that a backfill has committed: it says
// that the backfill has written to a stream of a user, and how far it got
// there. It stands under a name of its own beside the stream's cursor, which
// only nightly runs move.
//
// A nightly pull must learn of it: the backfill may have brought a value that
// the API has taken back since, so that the cursor's fingerprints find nothing
// to write. So a mark makes the next pull of a change a full one. It counts
// until a full pull has begun after it, and "after" is a matter of the log and
// not of clocks: the run of that pull must have seen the mark when it opened.
// A run that is under way when a backfill commits has not; whatever it pulls,
// the mark stays, since it may have read before the backfill did.

// markPrefix makes the name that a mark stands under of that of its stream.
const markPrefix = "backfill:"

func isMark(stream string) bool { return strings.HasPrefix(stream, markPrefix) }

// marked is a mark as the record with the given number left it.
func (s *cursorState) marked(c cursors.Cursor, seq uint64) cursors.Cursor {
	c.FullSeq = seq
	if !s.progress {
		c = cursors.Cursor{UserID: c.UserID, Stream: c.Stream, ExtractedAt: c.ExtractedAt, FullSeq: seq}
	}
	return c
}

// erasedMark is what stays of a mark whose record was taken back: how far the
// backfill got is forgotten, but not that there was one, since an older record
// may have left a mark in the same place.
func erasedMark(c cursors.Cursor, seq uint64) cursors.Cursor {
	return cursors.Cursor{UserID: c.UserID, Stream: c.Stream, ExtractedAt: c.ExtractedAt, FullSeq: seq}
}

// foldMarks takes the marks out of the cursors of a user, and notes them in the
// cursors of their streams; where there is none, in an empty one, MarkOnly: the
// first pull of the stream must be later than what the backfill wrote, whatever
// its clock says. It takes cursors sorted by stream, and returns them so.
func foldMarks(cs []cursors.Cursor) []cursors.Cursor {
	if !slices.ContainsFunc(cs, func(c cursors.Cursor) bool { return isMark(c.Stream) }) {
		return cs
	}
	folded := slices.DeleteFunc(slices.Clone(cs), func(c cursors.Cursor) bool { return isMark(c.Stream) })
	for _, mark := range cs {
		if !isMark(mark.Stream) {
			continue
		}
		stream := strings.TrimPrefix(mark.Stream, markPrefix)
		at, known := slices.BinarySearchFunc(folded, stream, func(c cursors.Cursor, s string) int { return cmp.Compare(c.Stream, s) })
		if !known {
			folded = slices.Insert(folded, at, cursors.Cursor{UserID: mark.UserID, Stream: stream, MarkOnly: true})
		}
		c := &folded[at]
		c.Backfilled = mark.FullSeq > c.FullSeq
		c.BackfilledAt = mark.ExtractedAt
	}
	return folded
}

// dropSettledMarks leaves out the marks that count no more: a full pull has
// begun since, or the user is gone. Where there is no cursor a mark stays: the
// run that will write one may have begun before.
func dropSettledMarks(cs []cursors.Cursor) []cursors.Cursor {
	settled := func(mark cursors.Cursor) bool {
		if !isMark(mark.Stream) {
			return false
		}
		stream := strings.TrimPrefix(mark.Stream, markPrefix)
		return slices.ContainsFunc(cs, func(c cursors.Cursor) bool {
			return c.Stream == stream && (c.Ended || c.FullSeq >= mark.FullSeq)
		})
	}
	left := make([]cursors.Cursor, 0, len(cs))
	for _, c := range cs {
		if !settled(c) {
			left = append(left, c)
		}
	}
	return left
}

// Progress is how far a backfill is with one stream of one user. It is
// committed together with the rows that it speaks of, and marks the stream.
type Progress struct {
	UserID, Stream string
	// ExtractedAt is the last _extracted_at that the backfill has written.
	ExtractedAt time.Time
	// DoneAt is when all of the range was read; zero until then.
	DoneAt time.Time
	// ErrorClass says why the last try failed, empty where it did not.
	ErrorClass string
	// State is what the backfill needs to go on; the sink does not look inside.
	State []byte
}

func (p Progress) mark() cursors.Cursor {
	return cursors.Cursor{
		UserID: p.UserID, Stream: markPrefix + p.Stream, ExtractedAt: p.ExtractedAt, PulledAt: p.DoneAt,
		ErrorClass: p.ErrorClass, State: p.State,
	}
}

func progressOf(mark cursors.Cursor) Progress {
	return Progress{
		UserID: mark.UserID, Stream: strings.TrimPrefix(mark.Stream, markPrefix), ExtractedAt: mark.ExtractedAt,
		DoneAt: mark.PulledAt, ErrorClass: mark.ErrorClass, State: mark.State,
	}
}
