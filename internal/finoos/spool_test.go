package finoos

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/semaphore"
)

// budget counts what is held, beside keeping to its limit.
type budget struct {
	*semaphore.Weighted
	held, peak atomic.Int64
}

func newBudget(n int64) *budget { return &budget{Weighted: semaphore.NewWeighted(n)} }

func (b *budget) TryAcquire(n int64) bool {
	if !b.Weighted.TryAcquire(n) {
		return false
	}
	b.peak.Store(max(b.peak.Load(), b.held.Add(n)))
	return true
}

func (b *budget) Release(n int64) {
	b.held.Add(-n)
	b.Weighted.Release(n)
}

func scratchIsEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("the scratch directory holds %v, %v", entries, err)
	}
}

// body is a list of logins that takes some bytes.
func body(size int) (text string, records int) {
	const record = `{"bankLoginId":"l","status":"OK"},`
	records = size/len(record) + 1
	text = "[" + strings.Repeat(record, records)
	return text[:len(text)-1] + "]", records
}

func TestBodiesOfEverySizeComeBackWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, 5*chunkSize + 7} {
		for _, limit := range []int64{0, chunkSize - 1, chunkSize, 3 * chunkSize, 100 * chunkSize} {
			b, dir := newBudget(limit), t.TempDir()
			want := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
			s, err := newSpool(t.Context(), bytes.NewReader(want), 1<<20, spoolRoom{memory: b, dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			scratchIsEmpty(t, dir) // the file is unlinked already
			for range 2 {
				got, err := io.ReadAll(s.reader())
				if err != nil || !bytes.Equal(got, want) || s.size != int64(size) {
					t.Errorf("%d bytes within %d: got %d, %v", size, limit, len(got), err)
				}
			}
			inMemory := s.file == nil
			if inMemory != (int64(size/chunkSize+1)*chunkSize <= limit) || (!inMemory && b.held.Load() != 0) {
				t.Errorf("%d bytes within %d: in memory %v, %d held", size, limit, inMemory, b.held.Load())
			}
			if err := errors.Join(s.Close(), s.Close()); err != nil || b.held.Load() != 0 {
				t.Errorf("closed: %v, %d held", err, b.held.Load())
			}
		}
	}
}

func TestListUnderATightBudgetIsSpilled(t *testing.T) {
	t.Parallel()
	text, records := body(4 * chunkSize)
	b, dir := newBudget(2*chunkSize), t.TempDir()
	c, _ := setup(t, always(reply{body: text}), func(cfg *Config) { cfg.Budget, cfg.ScratchDir = b, dir })
	l, err := c.Logins(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Spilled() || l.Bytes() != int64(len(text)) || b.held.Load() != 0 || b.peak.Load() != 2*chunkSize {
		t.Errorf("spilled %v, %d bytes, %d held, peak %d", l.Spilled(), l.Bytes(), b.held.Load(), b.peak.Load())
	}
	if got := all(t, l, nil); len(got) != records {
		t.Errorf("%d of %d records", len(got), records)
	}
	scratchIsEmpty(t, dir)
}

func TestListWithinTheBudgetHoldsItUntilClosed(t *testing.T) {
	t.Parallel()
	b := newBudget(4 * chunkSize)
	c, _ := setup(t, always(reply{body: oneLogin}), func(cfg *Config) { cfg.Budget = b })
	l, err := c.Logins(t.Context(), testUser)
	if err != nil || l.Spilled() || b.held.Load() != chunkSize {
		t.Fatalf("%v, %d held", err, b.held.Load())
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil || b.held.Load() != 0 {
		t.Errorf("%v, %d held", err, b.held.Load())
	}
}

func TestFailedCallsHoldNothing(t *testing.T) {
	t.Parallel()
	text, _ := body(3 * chunkSize)
	for _, limit := range []int64{chunkSize, 100 * chunkSize} {
		for name, r := range map[string]reply{
			"cut": {body: text, cut: io.ErrUnexpectedEOF}, "too large": {body: text + text}, "no JSON": {body: text[1:]},
		} {
			b, dir := newBudget(limit), t.TempDir()
			c, _ := setup(t, always(r), func(cfg *Config) {
				cfg.Budget, cfg.ScratchDir, cfg.RetryMaxElapsed, cfg.MaxResponse = b, dir, -1, 4*chunkSize
			})
			if err := failure(c.Logins(t.Context(), testUser)); err == nil || b.held.Load() != 0 || b.peak.Load() == 0 {
				t.Errorf("%s: %v, %d held", name, err, b.held.Load())
			}
			scratchIsEmpty(t, dir)
		}
	}
}

func TestFullDiskIsNoFailureOfTheAPI(t *testing.T) {
	t.Parallel()
	text, _ := body(2 * chunkSize)
	c, a := setup(t, always(reply{body: text}), func(cfg *Config) {
		cfg.Budget, cfg.ScratchDir = newBudget(0), cfg.ScratchDir+"/missing"
	})
	_, err := c.Logins(t.Context(), testUser)
	if !errors.Is(err, os.ErrNotExist) || ClassOf(err) != "" || a.count() != 1 {
		t.Errorf("%v after %d requests", err, a.count())
	}
}
