package cursors

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/parquet"
	"finoos-syncer/internal/sink/parquet/parquettest"
)

// TestTheSmallestCursorsFillARowGroupThatCanBeRead: of these it has the most rows.
func TestTheSmallestCursorsFillARowGroupThatCanBeRead(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("one goroutine writes many rows: without the race detector only")
	}
	const n = 2 * cursorGroupMost / cursorLeast
	var cs []Cursor
	for i := range n {
		cs = append(cs, Cursor{UserID: "u", Stream: fmt.Sprintf("%06d", i)})
	}
	r := cursorsOf(t, cs)
	if got, err := Count(r); got != n || err != nil {
		t.Errorf("%d of %d cursors: %v", got, n, err)
	}
	f, err := Open(r, false)
	if err != nil || f.reader.Groups() < 2 {
		t.Errorf("%d row groups, %v: none is full", f.reader.Groups(), err)
	}
}

func TestTheLargestStateCanBeRead(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("one goroutine writes many megabytes: without the race detector only")
	}
	for _, size := range []int{MaxState, 2*cursorGroupMost + MaxState + 1} {
		state := make([]byte, size)
		cs := []Cursor{{UserID: "u", Stream: "a", State: bytes.Repeat([]byte{1}, cursorGroupMost-1000)}, {UserID: "u", Stream: "b", State: state}}
		got, err := Count(cursorsOf(t, cs))
		if fits := size == MaxState; fits != (err == nil && got == 2) || !fits && !errors.Is(err, parquet.ErrCorrupt) {
			t.Errorf("a state of %d bytes: %d cursors, %v", size, got, err)
		}
	}
}

// TestAFileThatRepeatsItsTextsTakesLittleMemory: each of these texts stands in it once
// and is every cursor's.
func TestAFileThatRepeatsItsTextsTakesLittleMemory(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	fields := []parquet.Field[Cursor]{
		parquet.Fixed("bucket", parquet.Int32, func(*Cursor) (int32, bool) { return 0, true }).NotNull(),
		parquet.Text("user_id", func(c *Cursor) string { return c.UserID }).NotNull(),
		parquet.Text("stream", func(c *Cursor) string { return c.Stream }).NotNull(),
		parquet.Text("state", func(c *Cursor) string { return c.ErrorClass }),
	}
	f, err := parquet.New("cursors", fields, &out, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := []string{strings.Repeat("x", 400<<10), strings.Repeat("y", 400<<10)}
	for i := range 1000 {
		f.Add([]*Cursor{{UserID: "u", Stream: fmt.Sprintf("%04d", i), ErrorClass: long[i%2]}}, nil)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	body := out.Bytes()
	got := parquettest.Allocated(func() { _, err = Count(bytes.NewReader(body)) })
	if !errors.Is(err, parquet.ErrCorrupt) || got > 4*uint64(groupLimits.Bytes) {
		t.Errorf("%d bytes of a file take %d: %v", len(body), got, err)
	}
}

func TestAFileOutOfOrderIsRefused(t *testing.T) {
	t.Parallel()
	for _, streams := range [][]string{{"b", "a"}, {"a", "a"}} {
		var out bytes.Buffer
		f, err := newCursorWriter(&out, parquet.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range streams {
			f.file.Add([]*Cursor{{UserID: "u", Stream: stream}}, nil)
		}
		if err := f.file.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := Count(bytes.NewReader(out.Bytes())); !errors.Is(err, parquet.ErrCorrupt) {
			t.Errorf("%v: %d cursors, %v", streams, n, err)
		}
	}
}

// FuzzFile: a cursor file is refused, or all its users are ones.
func FuzzFile(f *testing.F) {
	full := Cursor{
		UserID: "user", Stream: "accounts", CorrelationID: "c", Failures: 1, ErrorClass: "server", HashVersion: 2, State: []byte{1, 2}, FullSeq: math.MaxUint32, Whole: true,
	}
	many := []Cursor{full}
	for i := range 300 {
		many = append(many, Cursor{UserID: fmt.Sprint("u", i), Stream: "s", State: bytes.Repeat([]byte{byte(i)}, i)})
	}
	for _, cs := range [][]Cursor{nil, {full}, many} {
		body, _, err := Encode(cs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		file, err := Open(bytes.NewReader(body), true)
		if err != nil {
			return
		}
		for c, err := range file.cursors() {
			if err != nil {
				break
			}
			if !id.Valid(c.UserID) || len(c.State) > int(groupLimits.Bytes) {
				t.Errorf("user %q with a state of %d bytes", c.UserID, len(c.State))
			}
		}
		for b := range Buckets {
			file.holding(b)
		}
	})
}

// FuzzSpooled: what comes back from the disk is refused, or can be written again.
func FuzzSpooled(f *testing.F) {
	c := Cursor{UserID: "user", Stream: "accounts", CorrelationID: "c", Failures: 1, ErrorClass: "server", State: []byte{1, 2}, FullSeq: 7}
	body := appendSpooled(nil, &c)
	f.Add(body[1:], true)
	f.Add(body[1:], false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, body []byte, all bool) {
		c, err := decodeSpooled(body, all, "")
		if err != nil {
			return
		}
		again := appendSpooled(nil, &c)
		back, err := decodeSpooled(again[len(again)-bodyLength(again):], all, "")
		if err != nil || back.UserID != c.UserID || back.Stream != c.Stream || !bytes.Equal(back.State, c.State) {
			t.Errorf("%v: %+v has become %+v", err, c, back)
		}
	})
}
