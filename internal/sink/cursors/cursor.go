package cursors

import (
	"cmp"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Buckets is the number of hash ranges that user ids fall into: the unit of
// state and of sharding. It is part of the format and never changes.
const Buckets = 256

// BucketOf returns the bucket of a user, 0 to 255: the top eight bits of the
// id's xxHash64.
func BucketOf(userID string) int {
	return int(xxhash.Sum64String(userID) >> 56)
}

// Shard is one of Count workers of a run.
type Shard struct{ Index, Count int }

// Owns reports whether the shard works on the users of bucket b.
func (s Shard) Owns(b int) bool {
	return s.Count <= 1 || b%s.Count == s.Index
}

// Buckets lists the buckets of users that the shard owns.
func (s Shard) Buckets() []int {
	var own []int
	for b := range Buckets {
		if s.Owns(b) {
			own = append(own, b)
		}
	}
	return own
}

// MaxState is how large the State of a cursor may be, in bytes: what is remembered of
// some hundred thousand records. What is larger is not read back.
const MaxState = 32 << 20

// Cursor is what is remembered for one stream of one user. Instants are kept
// to the microsecond, in UTC.
type Cursor struct {
	UserID        string
	Stream        string
	CorrelationID string
	CorrelationAt time.Time
	ExtractedAt   time.Time
	FullAt        time.Time // the last full pull
	PulledAt      time.Time // the last pull of either kind
	Failures      int       // in a row
	RetryAt       time.Time
	FirstSeenAt   time.Time // when the user was seen for the first time; kept by the stream users
	ErrorClass    string
	HashVersion   int
	Ended         bool   // the stream is over: dropped at the next checkpoint
	State         []byte // fingerprints of what was pulled; the sink does not look inside
	// Whole says that the last pull of either kind asked for everything: what the
	// API has of this correlation is what the lake has. Files that were written
	// before there was this column do not say it, so that it is false: the stream
	// is then read in full once more than it had to be.
	Whole bool
	// FullSeq is the newest record when the run began that made the last full
	// pull: what that run's Writer.Opened says.
	FullSeq uint64
	// Erased says that the commit in which the stream was pulled last was taken back:
	// of what that pull brought nothing is in the lake, and the next one must be full.
	// What is remembered beside of the pull is what was known when it was made.
	Erased bool
	// JoinedAt is when the run began that read all there is of the stream by one request
	// with others; zero where it was read from its own endpoint since.
	JoinedAt time.Time

	// What follows is not the cursor's own: whoever merges cursors fills it in
	// from the marks that backfills leave, and nothing stores it.

	// Backfilled says that a backfill has written to the stream, and that no
	// full pull has begun since: the next pull must be full.
	Backfilled bool
	// BackfilledAt is the last _extracted_at that a backfill has written; zero
	// where none is remembered.
	BackfilledAt time.Time
	// MarkOnly says that there is nothing but such a mark: no run has pulled
	// the stream, and a user of whom all cursors are so is not known.
	MarkOnly bool
}

// cursorOverhead is about what a Cursor takes up beside its text.
const cursorOverhead = 256

// Size is about the memory that the cursor takes up.
func (c Cursor) Size() int64 {
	return int64(cursorOverhead + len(c.UserID) + len(c.Stream) + len(c.CorrelationID) + len(c.ErrorClass) + len(c.State))
}

// key returns what the cursor is sorted and found by.
func (c Cursor) key() cursorKey {
	return cursorKey{Bucket: BucketOf(c.UserID), UserID: c.UserID, Stream: c.Stream, Ended: c.Ended}
}

// cursorKey is the part of a cursor that can be read without its state.
type cursorKey struct {
	Bucket int
	UserID string
	Stream string
	Ended  bool
}

// compare orders by bucket, user, stream, as cursor files are sorted.
func (k cursorKey) compare(o cursorKey) int {
	return cmp.Or(
		cmp.Compare(k.Bucket, o.Bucket),
		cmp.Compare(k.UserID, o.UserID),
		cmp.Compare(k.Stream, o.Stream),
	)
}
