package sink

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// voidBehindCheckpoint leaves a lake that an older program has made: a checkpoint covers
// record 1, of which an upload was lost, and record 3 takes it back behind that.
func voidBehindCheckpoint(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, newMemStore(), cursors.Shard{Index: 3, Count: 64}, 6)
	w.half = false
	w.loseUpload()
	w.now = w.now.Add(time.Hour)
	w.backfill = "history"
	wr := w.mustOpen()
	if _, err := wr.Define(t.Context(), BackfillDefinition{}); err != nil {
		t.Fatal(err)
	}
	if err := wr.Add(t.Context(), Batch{Progress: []Progress{{UserID: slices.Min(keysOf(w.truth)), Stream: "other", ExtractedAt: w.now}}}); err != nil {
		t.Fatal(err)
	}
	w.mustCommit(wr)
	w.mustClose(wr)
	w.backfill = ""
	s, err := locate(t.Context(), w.store, "j", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range ReadLog(t.Context(), w.store, "j", 0) {
		if err != nil {
			t.Fatal(err)
		}
		s.commits = append(s.commits, r)
	}
	for _, b := range w.shard.Buckets() {
		if err := s.writeCheckpoint(t.Context(), b, 2); err != nil {
			t.Fatal(err)
		}
	}
	s.spool.Close()
	w.mustClose(w.mustOpen()) // finds what was staged, and takes the record back
	if w.lastVoid() != 3 {
		t.Fatalf("the log is %v", logOf(t, w.store))
	}
	return w
}

// TestAVoidOfARecordThatACheckpointCoversHeals: the cursors that it erases are found
// where they stand; where they are gone, those of all users of the buckets are erased.
func TestAVoidOfARecordThatACheckpointCoversHeals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(*world, *memStore, *Record)
		all    bool
	}{
		"its cursors stand": {func(*world, *memStore, *Record) {}, false},
		"they are swept": {func(_ *world, m *memStore, r *Record) {
			delete(m.objects, r.Cursors.Path)
		}, true},
		"the record cannot be read": {func(_ *world, m *memStore, r *Record) {
			m.set(jobKeys("j").record(r.Seq), []byte("{"), "")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := voidBehindCheckpoint(t)
			m, ok := w.store.(*memStore)
			if !ok {
				t.Fatal("the store is none of memory")
			}
			// One who is in the checkpoint alone, and alone there.
			taken := map[int]bool{}
			for id := range w.truth {
				taken[cursors.BucketOf(id)] = true
			}
			stranger := "stranger"
			for i := 0; !w.shard.Owns(cursors.BucketOf(stranger)) || taken[cursors.BucketOf(stranger)]; i++ {
				stranger = "stranger-" + strings.Repeat("x", i)
			}
			body, _, err := cursors.Encode([]cursors.Cursor{{UserID: stranger, Stream: worldStream, CorrelationID: "version 1", FullAt: w.now, ExtractedAt: w.now}})
			if err != nil {
				t.Fatal(err)
			}
			b := cursors.BucketOf(stranger)
			before := m.objects[jobKeys("j").checkpoint(b, 2)]
			if got, err := cursors.Count(memReader{bytes.NewReader(before.body)}); err != nil || got > 0 {
				t.Fatalf("the checkpoint has %d cursors already: %v", got, err)
			}
			m.set(jobKeys("j").checkpoint(b, 2), body, "")
			c.damage(w, m, w.lastRecordOf("run001"))

			var log bytes.Buffer
			o := w.options(w.police)
			w.police.offDuty = true // it reads the whole log
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			wr, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			known := collect(t, wr.Users(t.Context()))
			if len(known) != len(w.truth)+1 {
				t.Errorf("known are %v", known)
			}
			for id := range w.truth {
				cs, err := wr.Cursors(t.Context(), cursors.BucketOf(id), id)
				if err != nil || len(cs[id]) == 0 {
					t.Fatalf("cursors of %s: %v, %v", id, cs, err)
				}
				at := slices.IndexFunc(cs[id], func(c cursors.Cursor) bool { return c.Stream == worldStream })
				if got := cs[id][at]; !got.Erased || got.CorrelationID != "" || !got.FullAt.IsZero() || got.ExtractedAt.IsZero() {
					t.Errorf("cursor of %s: %+v", id, got)
				}
			}
			cs, err := wr.Cursors(t.Context(), b, stranger)
			if err != nil || len(cs[stranger]) != 1 || cs[stranger][0].Erased != c.all || cs[stranger][0].ExtractedAt != w.now {
				t.Errorf("cursor of who was not in the record: %+v, %v", cs, err)
			}
			if loud := strings.Contains(log.String(), "level=ERROR"); loud != c.all {
				t.Errorf("it said so: %v: %s", loud, log.String())
			}
			w.mustClose(wr)
			look, err := OpenLook(t.Context(), LookOptions{Store: w.store, Job: "j", Shard: w.shard, Source: o.Source, ScratchDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range w.shard.Buckets() {
				collect(t, look.EachUser(t.Context(), b))
			}
			look.Close()
			if name == "the record cannot be read" {
				return // nor can those after it be swept up
			}
			w.every = 1
			for range 4 {
				if err := w.run(t.Context(), w.store); err != nil {
					t.Fatal(err)
				}
				w.night()
			}
			for row, n := range w.visible() {
				if n != 1 {
					t.Errorf("%s is visible %d times", row, n)
				}
			}
		})
	}
}

// TestABackfillReadsWhatItBeganWithHoweverManyCheckpointsCome: its own number is higher
// than that of the checkpoint it reads, which records that wait have held back.
func TestABackfillReadsWhatItBeganWithHoweverManyCheckpointsCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 4)
		w.half, w.every, w.police.offDuty = false, 1, true
		w.mustRun()
		w.night()
		w.mustRun()
		newest := func() (seq uint64) {
			for _, key := range w.checkpoints() {
				_, at, _ := jobKeys("j").parseCheckpoint(key)
				seq = max(seq, at)
			}
			return seq
		}
		read := newest()
		w.every = 1000
		w.night()
		w.mustRun()
		w.night()
		w.mustRun()
		// A backfill has a record that only it can publish.
		w.backfill = "waiting"
		store := &hiding{Store: w.police}
		store.hides.Store(true)
		waiting, err := w.open(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		if err := waiting.Add(t.Context(), w.filled("user-0")); err != nil {
			t.Fatal(err)
		}
		blind := refusing(w.police, w.mustCommit(waiting).Files[0].Path, bucket.ErrNoUpload)
		nightly := func() {
			w.night()
			if err := w.run(t.Context(), blind); err != nil {
				t.Fatal(err)
			}
		}
		w.backfill = ""
		nightly()
		w.backfill = "history"
		reader, err := w.open(t.Context(), blind)
		if err != nil {
			t.Fatal(err)
		}
		w.backfill = ""
		time.Sleep(time.Minute) // leases are renewed
		w.every = 1
		nightly()
		held := newest()
		store.hides.Store(false)
		w.mustClose(waiting)
		w.night()
		w.mustRun()
		w.night()
		w.mustRun()
		if read == 0 || held <= read || held >= reader.Opened() || newest() <= reader.Opened() {
			t.Fatalf("the backfill began at %d; checkpoints were %d, %d, %d", reader.Opened(), read, held, newest())
		}
		users := 0
		for b := range cursors.Buckets {
			for u, err := range reader.EachUser(t.Context(), b) {
				if err != nil {
					t.Fatalf("bucket %d: %v", b, err)
				}
				if len(u.Cursors) > 0 {
					users++
				}
			}
		}
		if users != len(w.truth) {
			t.Errorf("%d users", users)
		}
		w.mustClose(reader)
		objects := len(w.list(jobKeys("j").cursorObjects()))
		w.night()
		w.mustRun()
		if left := len(w.list(jobKeys("j").cursorObjects())); left >= objects {
			t.Errorf("nothing is swept once it has ended: %d objects, then %d", objects, left)
		}
	})
}

// TestWhatIsErasedIsPulledLaterThanEver: the clock is put back between the record and
// what comes after it was taken back.
func TestWhatIsErasedIsPulledLaterThanEver(t *testing.T) {
	t.Parallel()
	at := func(h int) time.Time { return time.Date(2026, 11, 22, h, 0, 0, 0, time.UTC) }
	c := cursors.Cursor{
		UserID: "u", Stream: "s", CorrelationID: "c", CorrelationAt: at(1), ExtractedAt: at(3), FullAt: at(2), PulledAt: at(2),
		FirstSeenAt: at(1), Failures: 2, RetryAt: at(9), ErrorClass: "server", HashVersion: 2, State: []byte("r"), Whole: true, FullSeq: 7,
	}
	want := cursors.Cursor{UserID: "u", Stream: "s", ExtractedAt: at(3), PulledAt: at(2), FirstSeenAt: at(1), State: []byte("r"), HashVersion: 2, Erased: true}
	for name, x := range map[string]struct {
		standing, want cursors.Cursor
	}{
		"alone":       {cursors.Cursor{}, want},
		"over itself": {c, want},
		"over a later one": {
			cursors.Cursor{UserID: "u", Stream: "s", ExtractedAt: at(5), PulledAt: at(5), State: []byte("later"), Whole: true, FullAt: at(5)},
			cursors.Cursor{UserID: "u", Stream: "s", ExtractedAt: at(5), PulledAt: at(5), FirstSeenAt: at(1), State: []byte("later"), Erased: true},
		},
		"over one of a clock that was put back": {
			cursors.Cursor{UserID: "u", Stream: "s", ExtractedAt: at(1), Ended: true},
			cursors.Cursor{UserID: "u", Stream: "s", ExtractedAt: at(3), FirstSeenAt: at(1), Erased: true},
		},
	} {
		if got := erasedOver(c, x.standing); !cursorsEqual(got, x.want) {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}

func cursorsEqual(a, b cursors.Cursor) bool {
	return string(cursors.Append(nil, &a)) == string(cursors.Append(nil, &b))
}
