package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// readLog walks through the log as it is listed, a record and its mark at a
// time. The order of keys is that of numbers, a record before its mark.
func (v *verifier) readLog(ctx context.Context) error {
	var at uint64 // the number whose keys are being listed
	marked := false
	for info, err := range v.store.List(ctx, v.keys.log(), "") {
		if err != nil {
			return err
		}
		seq, published, ok := v.keys.parseLog(info.Key)
		if !ok {
			v.problem(Finding{Where: info.Key, What: "is no part of a log", Do: doStranger})
			continue
		}
		if seq != at && at > 0 {
			if err := v.reach(ctx, at, marked); err != nil {
				return err
			}
			marked = false
		}
		at, marked = seq, marked || published
	}
	if at == 0 {
		return nil
	}
	return v.reach(ctx, at, marked)
}

// reach looks at the record with the given number, and first at any that the
// listing left out.
func (v *verifier) reach(ctx context.Context, seq uint64, marked bool) error {
	for v.next < seq {
		stands, err := v.record(ctx, v.next, false)
		if err != nil {
			return err
		}
		if stands {
			v.next++ // written while the log was being listed
			continue
		}
		v.blind, v.sum = true, ""
		v.problem(Finding{
			Where: v.keys.record(v.next), Seq: v.next,
			What: fmt.Sprintf("the log has a gap: records %d to %d are missing", v.next, seq-1),
			Do:   "bring them back from a backup or an older version of the objects: without them, the job cannot go on",
		})
		v.next = seq
	}
	stands, err := v.record(ctx, seq, marked)
	if err != nil {
		return err
	}
	if !stands {
		v.blind, v.sum = true, ""
		v.problem(Finding{
			Where: v.keys.record(seq), Seq: seq, What: "is marked as published, but is not there",
			Do: "bring it back from a backup or an older version of the object: without it, the job cannot go on",
		})
	}
	v.next = seq + 1
	if v.o.Progress != nil {
		v.o.Progress(&v.found)
	}
	return nil
}

// record checks one record and all that it names; false where there is none.
func (v *verifier) record(ctx context.Context, seq uint64, marked bool) (bool, error) {
	r, why, err := v.get(ctx, seq)
	if err != nil || errors.Is(why, bucket.ErrNotExist) {
		return false, err
	}
	v.found.Records++
	v.found.LastSeq = seq
	v.read[v.o.Job] = seq
	if r == nil {
		v.blind, v.sum = true, ""
		v.problem(Finding{Where: v.keys.record(seq), Seq: seq, What: "cannot be read: " + why.Error(), Do: doCursors})
		return true, nil
	}
	v.follow(r)
	v.checkNamedOnce(r)
	v.name(r)
	if r.Kind == KindVoid {
		v.voids[r.Voids] = seq
	}
	if err := v.checkCursors(ctx, r); err != nil {
		return false, err
	}
	if r.Schema != Schema {
		v.problem(Finding{
			Where: v.keys.record(seq), Seq: seq, Do: doSchema(r.Schema),
			What: fmt.Sprintf("is of schema %d, the log began with %d", r.Schema, Schema),
		})
		return true, nil // its files have other columns
	}
	if !marked {
		v.unpublished = append(v.unpublished, seq)
		return true, nil
	}
	return true, v.checkPublished(ctx, r)
}

// follow compares a record with what it says stood before it, and keeps what is to be
// known of it later.
func (v *verifier) follow(r *Record) {
	if r.Prev != "" && v.sum != "" && r.Prev != v.sum {
		v.replaced = append(v.replaced, Finding{
			Where: v.keys.record(r.Seq - 1), Seq: r.Seq - 1, What: fmt.Sprintf("is not the record that stood there when record %d was written", r.Seq), Do: doRecord,
		})
	}
	if r.unsealed() {
		v.replaced = append(v.replaced, Finding{Where: v.keys.record(r.Seq), Seq: r.Seq, What: "was changed: it has lost its sum", Do: doRecord})
	}
	v.sum = r.SHA256
	if why := r.lacks(); why != "" {
		v.problem(Finding{Where: v.keys.record(r.Seq), Seq: r.Seq, What: fmt.Sprintf("is of kind %.20q and %s", r.Kind, why), Do: doRecord})
	}
	v.remember(r)
}

// checkReplaced reports records that are not those that were committed, unless something
// else was found to be wrong with them, which says more.
func (v *verifier) checkReplaced(context.Context) error {
	for _, f := range v.replaced {
		if !v.accused[f.Seq] {
			v.problem(f) // once for each record
		}
	}
	if n := v.unchecked; n[0]+n[1] > 0 {
		v.note(Finding{
			Where: v.keys.root(), What: fmt.Sprintf("was written in part by an earlier version: of %d cursor objects and %d checkpoints no checksum is known", n[0], n[1]),
			Do: "nothing: they are read without it, and newer ones take their place",
		})
	}
	return nil
}

// checkNamedOnce makes sure that no earlier record has named the same files: a
// loader that reads the log would load them again.
func (v *verifier) checkNamedOnce(r *Record) {
	for _, f := range r.Files {
		if v.files.has(f.Path) {
			v.problem(Finding{
				Where: v.keys.record(r.Seq), Seq: r.Seq, What: "names a file that another record has named: " + f.Path,
				Do: "find out who wrote the record; load that file once",
			})
		}
	}
}

// checkPublished checks a record that is marked as published.
func (v *verifier) checkPublished(ctx context.Context, r *Record) error {
	m, why, err := v.mark(ctx, r.Seq)
	switch {
	case err != nil:
		return err
	case why != nil:
		v.problem(Finding{Where: v.keys.published(r.Seq), Seq: r.Seq, What: "cannot be read: " + why.Error(), Do: doRestore})
	case m == nil:
	default:
		if m.Record != "" && m.Record != r.SHA256 {
			v.replaced = append(v.replaced, Finding{
				Where: v.keys.record(r.Seq), Seq: r.Seq, What: "is not the record that its mark was written for", Do: doRecord,
			})
		}
		if m.VoidedBy != 0 {
			v.marked[r.Seq] = m.VoidedBy
			return nil
		}
	}
	files := make([]fileCheck, len(r.Files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(filesAtOnce)
	for i, f := range r.Files {
		g.Go(func() (err error) {
			files[i], err = v.checkFile(ctx, r, f)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	v.checkTables(r, files)
	return nil
}

// checkTables compares what the files of a record hold with its own summary.
func (v *verifier) checkTables(r *Record, files []fileCheck) {
	sums, unknown := map[string]table.Tally{}, map[string]bool{}
	for i, f := range r.Files {
		c := files[i]
		for _, finding := range c.findings {
			v.problem(finding)
		}
		t := v.found.Tables[f.Table]
		t.Files++
		t.Bytes += c.bytes
		all := table.Tally{Rows: t.Rows, Upserts: t.Upserts, Deletes: t.Deletes, Sums: t.Sums}
		all.Add(c.tally)
		t.Rows, t.Upserts, t.Deletes, t.Sums = all.Rows, all.Upserts, all.Deletes, all.Sums
		v.found.Tables[f.Table] = t
		sum := sums[f.Table]
		sum.Add(c.tally)
		sums[f.Table] = sum
		unknown[f.Table] = unknown[f.Table] || !c.read
	}
	for _, t := range table.Tables() {
		got, said := sums[t.Name], r.Tables[t.Name]
		if unknown[t.Name] {
			continue // of which file, and why, was said
		}
		if diff := said.differsFrom(got); diff != "" {
			v.problem(Finding{
				Where: v.keys.record(r.Seq), Seq: r.Seq, What: fmt.Sprintf("sums up table %s as %s", t.Name, diff),
				Do: "find out who changed the record or its files; pull everything again (run --full)",
			})
		}
	}
}

// differsFrom says in what a summary is not that of the rows; "" in nothing.
func (c TableChanges) differsFrom(t table.Tally) string {
	switch {
	case c.Upserts != t.Upserts:
		return fmt.Sprintf("%d upserts, its files hold %d", c.Upserts, t.Upserts)
	case c.Deletes != t.Deletes:
		return fmt.Sprintf("%d deletes, its files hold %d", c.Deletes, t.Deletes)
	}
	columns := make([]string, 0, len(t.Sums)+len(c.Sums))
	for column := range t.Sums {
		columns = append(columns, column)
	}
	for column := range c.Sums {
		columns = append(columns, column)
	}
	slices.Sort(columns)
	for _, column := range slices.Compact(columns) {
		if said, got := table.AddDecimals(c.Sums[column], ""), table.AddDecimals(t.Sums[column], ""); said != got {
			return fmt.Sprintf("%s in column %s, its files hold %s", said, column, got)
		}
	}
	return ""
}

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
