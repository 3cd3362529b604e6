package cursors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/parquet"
	"finoos-syncer/internal/sink/parquet/parquettest"
)

// countingReader is an object that knows how often and how much it was read.
type countingReader struct {
	*bytes.Reader
	reads int
	bytes int64
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	r.reads++
	r.bytes += int64(len(p))
	return r.Reader.ReadAt(p, off)
}

func cursorsOf(t *testing.T, cursors []Cursor) *countingReader {
	t.Helper()
	var out bytes.Buffer
	n, err := Write(&out, sortedCursors(cursors))
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(cursors)) {
		t.Errorf("%d rows written, want %d", n, len(cursors))
	}
	return &countingReader{Reader: bytes.NewReader(out.Bytes())}
}

// readCursors reads one bucket of users as a merge does: only the row groups that
// can hold it, and of these all or what they are found by.
func readCursors(r parquet.Stored, bucket int, all bool) iter.Seq2[Cursor, error] {
	return func(yield func(Cursor, error) bool) {
		f, err := Open(r, false)
		if err != nil {
			yield(Cursor{}, err)
			return
		}
		for _, g := range f.holding(bucket) {
			cursors, err := f.of(g, bucket, all)
			if err != nil {
				yield(Cursor{}, err)
				return
			}
			for _, c := range cursors {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func gather[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

var cursorStreams = []string{"accounts", "bank_logins", "categorization", "contracts", "transactions"}

// randomCursors returns cursors of so many users, every stream of each.
func randomCursors(rng *rand.Rand, users int, state func() []byte) []Cursor {
	at := func() time.Time {
		if rng.IntN(5) == 0 {
			return time.Time{}
		}
		return time.UnixMicro(rng.Int64N(4e15) - 2e15).UTC()
	}
	var out []Cursor
	for i := range users {
		for _, stream := range cursorStreams {
			out = append(out, Cursor{
				UserID: fmt.Sprintf("user-%d-ü", i), Stream: stream,
				CorrelationID: []string{"", strconv.FormatInt(rng.Int64(), 10)}[rng.IntN(2)],
				CorrelationAt: at(), ExtractedAt: at(), FullAt: at(), PulledAt: at(),
				Failures: rng.IntN(3), RetryAt: at(), ErrorClass: []string{"", "timeout"}[rng.IntN(2)],
				HashVersion: rng.IntN(9), Ended: rng.IntN(10) == 0, State: state(), FullSeq: rng.Uint64N(3) * rng.Uint64N(1e6),
				Whole: rng.IntN(2) == 0, Erased: rng.IntN(2) == 0,
			})
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestCursorsComeBackByBucket(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	cursors := randomCursors(rng, 60, func() []byte {
		if rng.IntN(4) == 0 {
			return nil
		}
		state := make([]byte, 1+rng.IntN(1500))
		for i := range state {
			state[i] = byte(rng.Uint32())
		}
		return state
	})
	cursors[0].CorrelationAt = time.Unix(0, 0).UTC() // is not null
	r := cursorsOf(t, cursors)                       // sorts them
	var got []Cursor
	for b := range Buckets {
		for _, c := range gather(t, readCursors(r, b, true)) {
			if BucketOf(c.UserID) != b {
				t.Fatalf("user %s came with bucket %d", c.UserID, b)
			}
			got = append(got, c)
		}
	}
	if diff := cmp.Diff(cursors, got); diff != "" {
		t.Errorf("cursors (-want +got):\n%.2000s", diff)
	}
}

func TestStatesOfAnySizeComeBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 6))
	var cursors []Cursor
	for size := 1; size <= 1<<20; size *= 2 {
		for _, n := range []int{size, size - 1, size + 1} {
			state := make([]byte, n)
			for i := range state {
				state[i] = byte(rng.Uint32())
			}
			if n == 0 {
				state = nil
			}
			cursors = append(cursors, Cursor{UserID: "u", Stream: fmt.Sprintf("%07d-%d", size, n), State: state})
		}
	}
	r := cursorsOf(t, cursors)
	got := gather(t, readCursors(r, BucketOf("u"), true))
	if !slices.EqualFunc(cursors, got, func(a, b Cursor) bool { return a.Stream == b.Stream && bytes.Equal(a.State, b.State) }) {
		t.Error("states differ")
	}
	if f, err := Open(r, false); err != nil || f.reader.Groups() < 2 {
		t.Errorf("%v; several MiB of one bucket should not be one row group", err)
	}
}

func TestOnlyTheRowGroupsOfABucketAreRead(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("one goroutine writes many megabytes: without the race detector only")
	}
	rng := rand.New(rand.NewPCG(8, 8))
	state := make([]byte, 400)
	cursors := randomCursors(rng, 20_000, func() []byte { // 100,000 cursors
		for i := range state {
			state[i] = byte(rng.Uint32())
		}
		return bytes.Clone(state)
	})
	r := cursorsOf(t, cursors)
	size := r.Size()
	f, err := Open(r, false)
	if err != nil {
		t.Fatal(err)
	}
	groups := f.reader.Groups()
	if groups < 20 {
		t.Fatalf("%d row groups in %d bytes: too few to leave any out", groups, size)
	}

	found := 0
	for _, b := range []int{0, 1, 99, 200, 255} {
		r.reads, r.bytes = 0, 0
		got := gather(t, readCursors(r, b, true))
		want := 0
		for _, c := range cursors {
			if BucketOf(c.UserID) == b {
				want++
			}
		}
		if len(got) != want {
			t.Errorf("bucket %d has %d cursors, want %d", b, len(got), want)
		}
		found += len(got)
		// One for the footer, one more if it is long, and one a row group, of
		// which a bucket of this size lies in two at most.
		if r.reads > 4 || r.bytes > 4*size/int64(groups)+2*parquet.FooterGuess {
			t.Errorf("bucket %d took %d reads of %d bytes in all; the file has %d in %d row groups", b, r.reads, r.bytes, size, groups)
		}
	}
	if found == 0 {
		t.Error("all buckets are empty")
	}

	for _, b := range []int{1, 100} {
		r.reads, r.bytes = 0, 0
		var keys, want []cursorKey
		for _, c := range gather(t, readCursors(r, b, false)) {
			keys = append(keys, c.key())
			if c.State != nil {
				t.Fatal("a state was read that was not asked for")
			}
		}
		for _, c := range cursors {
			if BucketOf(c.UserID) == b {
				want = append(want, c.key())
			}
		}
		if diff := cmp.Diff(want, keys); diff != "" {
			t.Errorf("keys of bucket %d (-want +got):\n%.1000s", b, diff)
		}
		if r.reads > 4 || r.bytes > size/int64(4*groups)+2*parquet.FooterGuess {
			t.Errorf("keys of bucket %d took %d reads of %d of %d bytes, in %d row groups", b, r.reads, r.bytes, size, groups)
		}
	}
}

func TestASmallCursorFileIsReadAtOnce(t *testing.T) {
	t.Parallel()
	r := cursorsOf(t, randomCursors(rand.New(rand.NewPCG(1, 2)), 20, func() []byte { return []byte{1} }))
	r.reads = 0
	f, err := Open(r, false)
	if err != nil {
		t.Fatal(err)
	}
	if all := gather(t, f.cursors()); len(all) != 100 {
		t.Errorf("%d cursors, want 100", len(all))
	}
	if r.reads != 1 {
		t.Errorf("%d reads, want 1", r.reads)
	}
}

func TestAnEmptyCursorFileHoldsNothing(t *testing.T) {
	t.Parallel()
	r := cursorsOf(t, nil)
	if got := gather(t, readCursors(r, 7, true)); len(got) != 0 {
		t.Errorf("%d cursors", len(got))
	}
}

func TestOfSeveralCursorsOfOneStreamTheLastIsKept(t *testing.T) {
	t.Parallel()
	cursors := []Cursor{{UserID: "a", Stream: "s", Failures: 1}, {UserID: "b", Stream: "s"}, {UserID: "a", Stream: "s", Failures: 2}}
	got := gather(t, sortedCursors(cursors))
	if len(got) != 2 {
		t.Fatalf("%d cursors, want 2", len(got))
	}
	for _, c := range got {
		if c.UserID == "a" && c.Failures != 2 {
			t.Errorf("the earlier cursor was kept")
		}
	}
}

func TestCursorsOutOfOrderAreRefused(t *testing.T) {
	t.Parallel()
	unsorted := func(cursors ...Cursor) iter.Seq2[Cursor, error] {
		return func(yield func(Cursor, error) bool) {
			for _, c := range cursors {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
	a, b := Cursor{UserID: "u", Stream: "a"}, Cursor{UserID: "u", Stream: "b"}
	for _, seq := range []iter.Seq2[Cursor, error]{unsorted(b, a), unsorted(a, a)} {
		if _, err := Write(io.Discard, seq); !errors.Is(err, errUnsorted) {
			t.Errorf("%v, want errUnsorted", err)
		}
	}
}

func TestErrorsAroundCursorFilesAreReported(t *testing.T) {
	t.Parallel()
	failing := func(yield func(Cursor, error) bool) {
		if yield(Cursor{UserID: "a", Stream: "s"}, nil) {
			yield(Cursor{}, parquettest.ErrBroken)
		}
	}
	if _, err := Write(io.Discard, failing); !errors.Is(err, parquettest.ErrBroken) {
		t.Errorf("error of the sequence: %v", err)
	}
	cursors := randomCursors(rand.New(rand.NewPCG(1, 2)), 20, func() []byte { return []byte{1} })
	if _, err := Write(&parquettest.BrokenWriter{Left: 100}, sortedCursors(cursors)); !errors.Is(err, parquettest.ErrBroken) {
		t.Errorf("error of the writer: %v", err)
	}
}

// TestADamagedCursorFileIsAnError flips bytes in turn. What comes back may be
// wrong where nothing guards it, but must come back: the library panics on
// much of this.
func TestADamagedCursorFileIsAnError(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cursors := randomCursors(rand.New(rand.NewPCG(1, 2)), 3, func() []byte { return []byte{1, 2, 3} })
	if _, err := Write(&out, sortedCursors(cursors)); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := 0; i < out.Len(); i += 3 {
		data := bytes.Clone(out.Bytes())
		data[i] ^= 0x55
		for _, err := range readCursors(bytes.NewReader(data), BucketOf(cursors[0].UserID), true) {
			if err != nil {
				failed++
			}
		}
	}
	if failed == 0 {
		t.Error("no damage was noticed")
	}
	for n := 0; n < out.Len(); n += 7 {
		err := error(nil)
		for _, e := range readCursors(bytes.NewReader(out.Bytes()[:n]), 0, true) {
			err = errors.Join(err, e)
		}
		if err == nil {
			t.Errorf("a file cut to %d of %d bytes was read", n, out.Len())
		}
	}
}

// TestACursorOfAnOlderFileIsNotTakenForWhole reads a file that was written before
// there was the column: nothing is known, so that nothing may be relied on.
func TestACursorOfAnOlderFileIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	var fields []parquet.Field[Cursor]
	for _, c := range cursorColumns {
		if c.Name != "whole" {
			fields = append(fields, c.Field)
		}
	}
	if len(fields) != len(cursorColumns)-1 {
		t.Fatal("there is no such column: nothing is shown")
	}
	var out bytes.Buffer
	f, err := parquet.New("cursors", fields, &out, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := Cursor{UserID: "u", Stream: "contracts", CorrelationID: "c", FullAt: time.Unix(9, 0).UTC(), FullSeq: 3}
	written := want
	written.Whole = true
	f.Add([]*Cursor{&written}, nil)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got := gather(t, readCursors(bytes.NewReader(out.Bytes()), BucketOf("u"), true))
	if diff := cmp.Diff([]Cursor{want}, got); diff != "" {
		t.Error(diff)
	}
}
