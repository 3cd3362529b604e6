package sink

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/table"
)

// lane writes the files of one table, one at a time. The lanes of different
// tables work side by side.
type lane struct {
	table  *table.Table
	store  bucket.Uploads
	staged *stager
	opts   table.FileOptions
	target int64 // size at which a file is closed and the next begun
	now    func() time.Time
	slots  partSlots
	dir    string // for scratch files

	// memory is what the open file's buffers took when rows were last added.
	memory atomic.Int64

	mu     slowMutex
	key    string // of the open file
	file   *table.File
	upload *uploader
	files  []File      // closed, waiting for the next commit
	tally  table.Tally // of these
}

// append writes rows, side by side even where others write as well: those of a
// user shall lie together. It begins a file for them if none is open.
func (l *lane) append(ctx context.Context, rows []table.Row) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		if err := l.open(ctx); err != nil {
			return err
		}
	}
	// Few at a time: of a row group that is finished in between, parts are on
	// their way first.
	for chunk := range slices.Chunk(rows, table.RowsAtOnce) {
		if err := l.file.Append(chunk...); err != nil {
			return fmt.Errorf("write %s: %w", l.key, err)
		}
		if err := l.upload.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) open(ctx context.Context) (err error) {
	if l.key, err = l.staged.dataKey(ctx, l.table.Name, l.now()); err != nil {
		return err
	}
	l.upload = newUploader(l.store, l.key, l.slots, l.dir)
	if l.file, err = table.NewFile(l.table, l.upload, l.opts); err != nil {
		return fmt.Errorf("begin %s: %w", l.key, err)
	}
	return nil
}

// roll closes the open file if it has reached its size.
func (l *lane) roll(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.file.Size() >= l.target {
		return l.close(ctx)
	}
	if l.file != nil {
		l.memory.Store(l.file.Memory())
	}
	return nil
}

// close ends the open file; its upload is left pending.
func (l *lane) close(ctx context.Context) error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("end %s: %w", l.key, err)
	}
	up, err := l.upload.finish(ctx)
	if err != nil {
		return err
	}
	t := l.file.Tally()
	l.files = append(l.files, File{
		Table: l.table.Name, Path: l.key, Rows: t.Rows, Bytes: l.upload.bytes, SHA256: l.upload.checksum(), Upload: up,
	})
	l.tally.Add(t)
	l.key, l.file, l.upload = "", nil, nil
	l.memory.Store(0)
	return nil
}

// seal closes the open file and hands over all files since the last time.
func (l *lane) seal(ctx context.Context) ([]File, table.Tally, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		if err := l.close(ctx); err != nil {
			return nil, table.Tally{}, err
		}
	}
	files, tally := l.files, l.tally
	l.files, l.tally = nil, table.Tally{}
	return files, tally, nil
}

// pending counts the files, the open one included, and their rows.
func (l *lane) pending() (files int, rows int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	files, rows = len(l.files), l.tally.Rows
	if l.file != nil {
		files, rows = files+1, rows+l.file.Tally().Rows
	}
	return files, rows
}

// abandon lets go of what was not sealed.
func (l *lane) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.upload != nil {
		_ = l.upload.close() // scratch files of which nothing is needed
	}
}
