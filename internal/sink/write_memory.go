package sink

import "context"

// rowsMemory bounds what the buffers of all tables take together: of the table
// that takes most the rows are written once there is more. It has room for the
// row group of one table at its full size (table.DefaultRowGroupBytes) and what its
// buffers keep for growing, and nearly for those of two.
const rowsMemory = 16 << 20

// shed makes room where the tables hold more than they may together.
func (w *Writer) shed(ctx context.Context) error {
	for {
		var total, most int64
		var largest *lane
		for _, l := range w.lanes {
			n := l.memory.Load()
			total += n
			if n > most {
				most, largest = n, l
			}
		}
		if total <= rowsMemory {
			return nil
		}
		if err := largest.shed(ctx); err != nil {
			return err
		}
	}
}

// shed writes what the open file has buffered, and lets go of the memory.
func (l *lane) shed(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory.Store(0)
	if l.file == nil {
		return nil
	}
	if err := l.file.Shed(); err != nil {
		return err
	}
	return l.upload.flush(ctx)
}

// slowMutex is a lock that is held while the store is waited for. It is a
// channel because who waits for it then waits as well for what the store waits
// for: testing/synctest moves its clock for those who wait for a channel, not
// for those who wait for a sync.Mutex.
type slowMutex chan struct{}

func newSlowMutex() slowMutex { return make(slowMutex, 1) }

// Lock waits until nobody holds the lock, and takes it.
func (m slowMutex) Lock() { m <- struct{}{} }

// Unlock gives it back.
func (m slowMutex) Unlock() { <-m }
