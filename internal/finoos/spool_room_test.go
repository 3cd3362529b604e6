package finoos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
)

// heldDisk counts what bodies hold of a disk.
type heldDisk struct {
	*semaphore.Weighted

	mu         sync.Mutex
	held, peak int64
}

func (d *heldDisk) took(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held += n
	d.peak = max(d.peak, d.held)
}

func (d *heldDisk) TryAcquire(n int64) bool {
	ok := d.Weighted.TryAcquire(n)
	if ok {
		d.took(n)
	}
	return ok
}

func (d *heldDisk) Acquire(ctx context.Context, n int64) error {
	err := d.Weighted.Acquire(ctx, n)
	if err == nil {
		d.took(n)
	}
	return err
}

func (d *heldDisk) Release(n int64) {
	d.mu.Lock()
	d.held -= n
	d.mu.Unlock()
	d.Weighted.Release(n)
}

// A run ends with an error of no class.
func TestAnAnswerThatFindsNoRoomFailsForItsUserAlone(t *testing.T) {
	t.Parallel()
	c := &Client{}
	err := c.transportError(t.Context(), &apiCall{op: &Operation{}}, &localError{errNoRoom})
	if ClassOf(err) != Internal || !errors.Is(err, errNoRoom) {
		t.Errorf("got class %q of %v", ClassOf(err), err)
	}
	if err := c.transportError(t.Context(), &apiCall{op: &Operation{}}, &localError{errors.New("broken disk")}); ClassOf(err) != "" {
		t.Errorf("a broken disk has class %q: it is no user's", ClassOf(err))
	}
}

func TestBodiesShareOneBudgetOfDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := &heldDisk{Weighted: semaphore.NewWeighted(3 * diskStep)}
		waited := 0
		room := spoolRoom{memory: newBudget(0), disk: disk, dir: t.TempDir(), full: func() { waited++ }}
		of := func(size int) io.Reader { return bytes.NewReader(make([]byte, size)) }
		first, err := newSpool(t.Context(), of(2*diskStep), 10*diskStep, room)
		if err != nil || disk.held != 2*diskStep {
			t.Fatalf("%d held, %v", disk.held, err)
		}
		began := time.Now()
		_, err = newSpool(t.Context(), of(2*diskStep), 10*diskStep, room)
		if local, ok := errors.AsType[*localError](err); !ok || !errors.Is(local, errNoRoom) || time.Since(began) != diskPatience || waited != 1 {
			t.Errorf("after %v, %d waits: %v", time.Since(began), waited, err)
		}
		if disk.held != 2*diskStep {
			t.Errorf("%d held after a body that found no room", disk.held)
		}

		go func() {
			time.Sleep(diskPatience / 2)
			_ = first.Close()
		}()
		second, err := newSpool(t.Context(), of(3*diskStep), 10*diskStep, room)
		if err != nil || disk.held != 3*diskStep || disk.peak != 3*diskStep {
			t.Fatalf("who waited for another: %d held, %d at most, %v", disk.held, disk.peak, err)
		}
		stopped, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		began = time.Now()
		if _, err := newSpool(stopped, of(diskStep), 10*diskStep, room); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("stopped after %v: %v", time.Since(began), err)
		}
		if _, err := newSpool(t.Context(), of(2), 1, room); !errors.Is(err, errTooLarge) {
			t.Errorf("beyond the limit: %v", err)
		}
		if err := errors.Join(second.Close(), second.Close()); err != nil || disk.held != 0 {
			t.Errorf("%v, %d held at the end", err, disk.held)
		}
	})
}
