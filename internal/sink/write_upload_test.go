package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

func TestAnUploadIsSentInPartsWhileItGrows(t *testing.T) {
	t.Parallel()
	sizes := []int{1, bucket.MinPart - 1, bucket.MinPart, bucket.MinPart + 1, 3*bucket.MinPart + 7, 9 * bucket.MinPart}
	first, step := sample(3)
	for i := first; i < 2*len(sizes); i += step {
		size, most := sizes[i/2], []int{3 << 20, 4 * bucket.MinPart}[i%2] // at a time
		store := newMemStore()
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(rand.N(256))
		}
		u := newUploader(store, "key", newPartSlots(), t.TempDir())
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 1+rand.N(most))
			if _, err := u.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			if err := u.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; u.held() >= bucket.MinPart || cap(u.buf) > 2*uploadMemory+most {
				t.Errorf("%d bytes are held, %d of them in memory", u.held(), cap(u.buf))
			}
			if int(u.filed) > bucket.MinPart+most {
				t.Errorf("the scratch file holds %d bytes", u.filed)
			}
		}
		up, err := u.finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(store.objects) > 0 {
			t.Errorf("size %d: visible before it is completed", size)
		}
		if want := (size + bucket.MinPart - 1) / bucket.MinPart; len(up.Parts) != want {
			t.Errorf("size %d: %d parts, want %d", size, len(up.Parts), want)
		}
		for i, p := range up.Parts {
			if last := i == len(up.Parts)-1; p.Size != partSize && !last || p.Size > partSize {
				t.Errorf("size %d: part %d of %d holds %d bytes", size, p.Number, len(up.Parts), p.Size)
			}
		}
		if err := store.CompleteUpload(t.Context(), up.Upload, up.Parts); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if got := store.objects["key"].body; !bytes.Equal(got, body) || u.bytes != int64(size) || u.checksum() != hex.EncodeToString(sum[:]) {
			t.Errorf("size %d: read back %d bytes, counted %d, checksum %s", size, len(got), u.bytes, u.checksum())
		}
	}
}

// A file is closed when it has reached its size, and may be longer by a batch.
func TestTenThousandPartsSufficeForTheLargestFile(t *testing.T) {
	t.Parallel()
	const largest = 16 << 30 // target_file_size
	if total := int64(10_000 * partSize); total < 2*largest {
		t.Errorf("10,000 parts hold %d bytes", total)
	}
}

// slowParts is a store that takes parts only when it is told to, or not at all.
type slowParts struct {
	bucket.Uploads
	take chan error
}

func (s slowParts) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	select {
	case err := <-s.take:
		if err != nil {
			return bucket.Part{}, err
		}
		return s.Uploads.UploadPart(ctx, up, number, body)
	case <-ctx.Done():
		return bucket.Part{}, context.Cause(ctx)
	}
}

// further writes n more bytes, and says what became of them.
func further(ctx context.Context, u *uploader, n int) error {
	_, _ = u.Write(make([]byte, n))
	return u.flush(ctx)
}

func TestWhoHasRowsWaitsForAPartOnlyWhenTheNextIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := slowParts{newMemStore(), make(chan error)}
		u := newUploader(store, "key", newPartSlots(), dir)
		batch, done := context.WithCancel(t.Context())
		if err := further(batch, u, bucket.MinPart+1); err != nil {
			t.Fatal(err)
		}
		done() // the part outlives the batch that filled it
		if err := further(t.Context(), u, bucket.MinPart-2); err != nil {
			t.Fatal(err)
		}
		flushed := make(chan error)
		go func() { flushed <- further(t.Context(), u, 1) }()
		synctest.Wait()
		select {
		case err := <-flushed:
			t.Fatalf("the second part is full and the first not sent, but nobody waited: %v", err)
		default:
		}
		store.take <- nil
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		go func() { store.take <- nil }()
		up, err := u.finish(t.Context())
		if err != nil || len(up.Parts) != 2 {
			t.Errorf("%d parts, %v: want two", len(up.Parts), err)
		}
	})
}

func TestAPartThatIsNotTakenFailsWhatFollows(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*testing.T, *uploader) error{
		"the next part": func(t *testing.T, u *uploader) error { t.Helper(); return further(t.Context(), u, bucket.MinPart) },
		"the end":       func(t *testing.T, u *uploader) error { t.Helper(); _, err := u.finish(t.Context()); return err },
		"the end after the next part": func(t *testing.T, u *uploader) error {
			t.Helper()
			_ = further(t.Context(), u, bucket.MinPart)
			_, err := u.finish(t.Context())
			return err
		},
		"the end, once more": func(t *testing.T, u *uploader) error {
			t.Helper()
			_, _ = u.finish(t.Context())
			_, err := u.finish(t.Context())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := slowParts{newMemStore(), make(chan error, 1)}
			store.take <- errInjected
			u := newUploader(store, "key", newPartSlots(), t.TempDir())
			if err := further(t.Context(), u, bucket.MinPart); err != nil {
				t.Fatal(err)
			}
			if err := next(t, u); !errors.Is(err, errInjected) {
				t.Errorf("got %v, want %v", err, errInjected)
			}
			if err := u.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARunThatIsClosedSendsNoPartAnyMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		mem := newMemStore()
		u := newUploader(slowParts{mem, nil}, "key", newPartSlots(), dir)
		if err := further(t.Context(), u, bucket.MinPart); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		if err := u.close(); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 0 || u.flight != nil {
			t.Errorf("closed after %s, while a part was on its way", waited)
		}
		if err := mem.AbortUpload(t.Context(), u.up); err != nil {
			t.Error(err)
		}
	})
}

// stuckParts is a store that takes no part, and watches what is aborted while it
// still tries.
type stuckParts struct {
	bucket.Store
	trying, aborted atomic.Int32
	early           atomic.Bool
}

func (s *stuckParts) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	if strings.HasPrefix(up.Key, system) { // the self-test's
		return s.Store.UploadPart(ctx, up, number, body)
	}
	s.trying.Add(1)
	defer s.trying.Add(-1)
	<-ctx.Done()
	return bucket.Part{}, context.Cause(ctx)
}

func (s *stuckParts) AbortUpload(ctx context.Context, up bucket.Upload) error {
	if !strings.HasPrefix(up.Key, system) {
		s.aborted.Add(1)
	}
	s.early.Store(s.early.Load() || s.trying.Load() > 0)
	return s.Store.AbortUpload(ctx, up)
}

func TestNoPartIsOnItsWayWhenItsUploadIsSwept(t *testing.T) {
	t.Parallel()
	for range 8 { // tables are closed in any order
		closeWithPartsOnTheirWay(t)
	}
}

func closeWithPartsOnTheirWay(t *testing.T) {
	t.Helper()
	w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 1)
	store := &stuckParts{Store: w.police}
	wr, err := w.open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	var rows []table.Row
	for i := range 9 { // of two tables, more than fits into a row group
		rows = append(rows, &table.Contract{UserID: "u", ContractID: strconv.Itoa(i), Attributes: strings.Repeat(strconv.Itoa(i), 1<<20), Meta: table.Meta{Op: table.Upsert, Pull: table.Full, ExtractedAt: w.now}})
	}
	for i := range 9 {
		rows = append(rows, &table.Transaction{
			UserID: "u", AccountID: "a", TransactionID: strconv.Itoa(i), Currency: "EUR", Purpose: strings.Repeat(strconv.Itoa(i), 1<<20),
			Meta: table.Meta{Op: table.Upsert, Pull: table.Full, ExtractedAt: w.now},
		})
	}
	if err := wr.Add(t.Context(), Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	for store.trying.Load() == 0 {
		runtime.Gosched()
	}
	w.mustClose(wr)
	if store.aborted.Load() == 0 || store.early.Load() {
		t.Errorf("%d uploads aborted, one of them while a part was on its way: %v", store.aborted.Load(), store.early.Load())
	}
	w.checkOrphans()
}
