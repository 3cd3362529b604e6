package sink

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// TestOfManyObjectsTheNewestCursorCounts merges a checkpoint with the objects of
// many commits, of which each has some of the users, and compares with a map.
func TestOfManyObjectsTheNewestCursorCounts(t *testing.T) {
	t.Parallel()
	store, rng := newMemStore(), rand.New(rand.NewPCG(5, 5))
	s := &cursorState{store: store, keys: jobKeys("j"), spool: cursors.NewSpool(store, t.TempDir())}
	defer s.spool.Close()
	type cursorID struct{ user, stream string }
	want := map[cursorID]cursors.Cursor{}
	const seqs = 40
	for seq := uint64(1); seq <= seqs; seq++ {
		var cs []cursors.Cursor
		for range 300 {
			c := cursors.Cursor{UserID: fmt.Sprint("u", rng.IntN(2000)), Stream: fmt.Sprint("s", rng.IntN(3)), FullSeq: seq, State: make([]byte, rng.IntN(900))}
			cs = append(cs, c)
			want[cursorID{c.UserID, c.Stream}] = c
		}
		body, rows, err := cursors.Encode(slices.Clone(cs))
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("_syncer/j/cursors/%d.parquet", seq)
		store.objects[key] = memObject{body: body}
		s.commits = append(s.commits, &Record{Seq: seq, Kind: KindRun, Buckets: cursors.Shard{Count: 1}.Buckets(), Cursors: CursorObject{Path: key, Rows: rows}})
	}
	for b := range cursors.Buckets {
		last := ""
		for u, err := range s.each(t.Context(), b, seqs, true) {
			if err != nil {
				t.Fatal(err)
			}
			if u.UserID <= last || cursors.BucketOf(u.UserID) != b {
				t.Fatalf("user %s after %s in bucket %d", u.UserID, last, b)
			}
			last = u.UserID
			for _, c := range u.Cursors {
				id := cursorID{c.UserID, c.Stream}
				if w, there := want[id]; !there || w.FullSeq != c.FullSeq || len(w.State) != len(c.State) {
					t.Fatalf("%v: record %d with %d bytes, want %d with %d", id, c.FullSeq, len(c.State), w.FullSeq, len(w.State))
				}
				delete(want, id)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("%d cursors are missing", len(want))
	}
}

func TestACheckpointWaitsUntilWhatHasComeIsWorthIt(t *testing.T) {
	t.Parallel()
	all := cursors.Shard{Count: 1}
	for _, c := range []struct {
		name    string
		commits int
		each    int64 // bytes
		held    int64 // by the checkpoint of a bucket
		due     bool
	}{
		{"few commits", 15, 1 << 30, 0, false},
		{"small state", 16, 1000, emptyCheckpoint, true},
		{"large state, small commits", 16, 100 << 10, 4 << 20, false},
		{"large state, large commits", 16, 8 << 20, 4 << 20, true},
		{"large state, many commits", mostCommits, 1000, 4 << 20, true},
	} {
		s := &cursorState{sizes: map[int]int64{}}
		for _, b := range all.Buckets() {
			s.sizes[b] = c.held
		}
		for i := range c.commits {
			s.commits = append(s.commits, &Record{Seq: uint64(i + 1), Kind: KindRun, Buckets: all.Buckets(), Cursors: CursorObject{Path: "x", Bytes: c.each}})
		}
		if got := s.checkpointDue(all, 1000, checkpointEvery); got != c.due {
			t.Errorf("%s: due %t", c.name, got)
		}
	}
}

// TestTablesShareTheMemoryOfTheirRows fills all tables at once.
func TestTablesShareTheMemoryOfTheirRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	wr := w.mustOpen()
	most := int64(0)
	for i := range 3000 {
		if err := wr.Add(t.Context(), Batch{Rows: wideRows(i)}); err != nil {
			t.Fatal(err)
		}
		var total int64
		for _, l := range wr.lanes {
			total += l.memory.Load()
		}
		most = max(most, total)
	}
	if most > rowsMemory || most < rowsMemory/2 {
		t.Errorf("the tables held up to %d KiB, may hold %d KiB", most>>10, rowsMemory>>10)
	}
	w.mustClose(wr)
}

// wideRows are two rows of each of five tables, with a kilobyte of text in each.
func wideRows(i int) (rows []table.Row) {
	id := fmt.Sprint("user", i)
	text := make([]byte, 1000)
	for n := range text {
		text[n] = byte('a' + (i*7+n*n)%26)
	}
	meta := table.Meta{Op: table.Upsert, Pull: table.Full, ExtractedAt: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), Extra: string(text)}
	for n := range 2 {
		key := fmt.Sprint(id, "-", n)
		rows = append(rows, &table.Account{UserID: id, AccountID: key, Meta: meta}, &table.Transaction{UserID: id, TransactionID: key, Meta: meta},
			&table.Contract{UserID: id, ContractID: key, Meta: meta}, &table.Categorization{UserID: id, TransactionID: key, Tag: "t", Meta: meta},
			&table.BankLogin{UserID: id, BankLoginID: key, Meta: meta})
	}
	return rows
}

// countedStore counts what is read of its objects.
type countedStore struct {
	*memStore
	bytes int64
}

type countedReader struct {
	bucket.Reader
	store *countedStore
}

func (s *countedStore) Open(ctx context.Context, key string) (bucket.Reader, error) {
	r, err := s.memStore.Open(ctx, key)
	return countedReader{r, s}, err
}

func (r countedReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.Reader.ReadAt(p, at)
	r.store.bytes += int64(n)
	return n, err
}

func TestNoMoreIsReadThanUntilTheLastUserWhoIsNamed(t *testing.T) {
	t.Parallel()
	store := &countedStore{memStore: newMemStore()}
	s := &cursorState{store: store, keys: jobKeys("j"), spool: cursors.NewSpool(store, ""), checkpoints: map[int][]uint64{7: {1}}}
	rng := rand.New(rand.NewPCG(1, 2))
	var cs []cursors.Cursor
	for i := 0; len(cs) < 1000; i++ {
		if id := fmt.Sprintf("u%07d", i); cursors.BucketOf(id) == 7 {
			state := make([]byte, 8000)
			for i := range state {
				state[i] = byte(rng.Uint32())
			}
			cs = append(cs, cursors.Cursor{UserID: id, Stream: "s", State: state})
		}
	}
	body, _, err := cursors.Encode(slices.Clone(cs))
	if err != nil {
		t.Fatal(err)
	}
	store.objects[s.keys.checkpoint(7, 1)] = memObject{body: body}
	const whole, group = 1 << 20, 2 << 20 // what is fetched at once, and the most that a row group holds
	first, last := cs[3].UserID, cs[len(cs)-2].UserID
	for _, c := range []struct {
		users []string
		found int
		most  int64
	}{
		{nil, 0, 0},
		{[]string{first}, 1, whole + 2*group},
		{[]string{first, first, "u"}, 1, whole + 2*group},
		{[]string{last, first, "zzz"}, 2, int64(2 * len(body))},
	} {
		store.bytes = 0
		got, err := s.cursorsOf(t.Context(), cursors.Shard{Count: 1}, 7, 1, c.users)
		if err != nil || len(got) != c.found || store.bytes > c.most {
			t.Errorf("%v: %d users, %v, %d of %d bytes read", c.users, len(got), err, store.bytes, len(body))
		}
	}
}
