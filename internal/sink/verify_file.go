package sink

import (
	"context"
	"errors"
	"fmt"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// filesAtOnce is how many files are read side by side.
const filesAtOnce = 4

// fileCheck is what was found in one file.
type fileCheck struct {
	findings []Finding
	bytes    int64
	read     bool // to its end, so that the tally counts
	tally    table.Tally
}

// checkFile reads a committed file as a loader would: all of it.
func (v *verifier) checkFile(ctx context.Context, r *Record, f File) (c fileCheck, err error) {
	find := func(gone bool, format string, args ...any) {
		c.findings = append(c.findings, Finding{Where: f.Path, Seq: r.Seq, What: fmt.Sprintf(format, args...), Do: doRestore, gone: gone})
	}
	local, got, err := v.fetch(ctx, f.Path)
	if errors.Is(err, bucket.ErrNotExist) {
		find(true, "record %d names it, but it is not there", r.Seq)
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer func() { _ = local.Close() }() // an unlinked scratch file that was read
	c.bytes = local.Size()
	switch {
	case c.bytes != f.Bytes:
		find(false, "holds %d bytes, record %d says %d", c.bytes, r.Seq, f.Bytes)
	case got != f.SHA256:
		find(false, "has the checksum %s, record %d says %s", got, r.Seq, f.SHA256)
	}
	tab := table.ByName(f.Table)
	if tab == nil {
		find(false, "belongs to table %q, which this program does not know (use a newer one)", f.Table)
		return c, nil
	}
	if c.tally, err = table.ReadTally(local, tab); err != nil {
		if len(c.findings) == 0 { // else no wonder
			find(false, "cannot be read as Parquet: %v", err)
		}
		return c, nil
	}
	c.read = true
	if c.tally.Rows != f.Rows {
		find(false, "holds %d rows, record %d says %d", c.tally.Rows, r.Seq, f.Rows)
	}
	return c, nil
}

// fetch copies an object to where it can be read often, and returns its sum. The copy
// is the caller's to close.
func (v *verifier) fetch(ctx context.Context, path string) (cursors.Local, string, error) {
	r, err := v.store.Open(ctx, path)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = r.Close() }() // only read
	local, sum, err := cursors.Fetch(r, v.o.ScratchDir)
	if err != nil {
		return nil, "", fmt.Errorf("fetch %s: %w", path, err)
	}
	return local, sum, nil
}
