package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/table"
)

// nameSet holds keys by their hash, eight bytes each: what a verification has
// to remember of every file ever committed.
type nameSet map[uint64]struct{}

func (s nameSet) add(key string) { s[xxhash.Sum64String(key)] = struct{}{} }
func (s nameSet) has(key string) bool {
	_, ok := s[xxhash.Sum64String(key)]
	return ok
}

// name notes the files of a record.
func (v *verifier) name(r *Record) {
	for _, f := range r.Files {
		v.files.add(f.Path)
	}
}

// findUnnamed lists the tables' folders for what no commit of any job names.
// A file becomes visible after its record stands: so they are listed first,
// and what is not known then is looked for in records that came since.
func (v *verifier) findUnnamed(ctx context.Context) error {
	if err := v.readNewRecords(ctx); err != nil {
		return err
	}
	var unnamed []string
	for _, t := range table.Tables() {
		for info, err := range v.store.List(ctx, t.Name+"/", "") {
			if err != nil {
				return err
			}
			if v.files.has(info.Key) {
				continue
			}
			if unnamed = append(unnamed, info.Key); len(unnamed) == maxFindings {
				if err := v.reportUnnamed(ctx, unnamed); err != nil {
					return err
				}
				unnamed = unnamed[:0]
			}
		}
	}
	return v.reportUnnamed(ctx, unnamed)
}

func (v *verifier) reportUnnamed(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := v.readNewRecords(ctx); err != nil {
		return err
	}
	for _, key := range keys {
		if v.files.has(key) {
			continue
		}
		if _, err := v.store.Stat(ctx, key); errors.Is(err, bucket.ErrNotExist) {
			continue // of a record that was taken back meanwhile
		} else if err != nil {
			return err
		}
		f := Finding{Where: key, What: "is visible, but no commit of any job names it", Do: doNotOurs}
		if v.blind {
			f.Do = doLogFirst
		}
		v.problem(f)
	}
	return nil
}

// readNewRecords notes the files in the logs of all jobs that share the
// tables, from where they were read last.
func (v *verifier) readNewRecords(ctx context.Context) error {
	for after := ""; ; {
		job, err := nextJob(ctx, v.store, after)
		if err != nil {
			return err
		}
		if job == "" {
			return nil
		}
		after = behindJob(job)
		if err := v.readRecordsOf(ctx, job); err != nil {
			return err
		}
	}
}

func (v *verifier) readRecordsOf(ctx context.Context, job string) error {
	for r, err := range ReadLog(ctx, v.store, job, v.read[job]) {
		if err != nil {
			return v.readSingly(ctx, job)
		}
		if r.Seq == 1 && r.Schema != Schema && job != v.o.Job {
			v.problem(Finding{
				Where: jobKeys(job).record(1), Seq: 1, Do: doSchema(r.Schema),
				What: fmt.Sprintf("job %s writes to the same tables by schema %d, this one by %d", job, r.Schema, Schema),
			})
		}
		v.name(r)
		v.read[job] = r.Seq
	}
	return nil
}

// readSingly goes on where a log could not be read as a whole, and passes over
// the records that are missing or broken. Those of the job that is verified
// were reported.
func (v *verifier) readSingly(ctx context.Context, job string) error {
	l := &ledger{store: v.store, keys: jobKeys(job)}
	for info, err := range v.store.List(ctx, l.keys.log(), l.keys.afterSeq(v.read[job])) {
		if err != nil {
			return err
		}
		seq, _, ok := l.keys.parseLog(info.Key)
		if !ok || seq <= v.read[job] {
			continue // no record, or the mark of one that was read
		}
		// Of a gap, however wide, one record is looked for.
		for _, seq := range slices.Compact([]uint64{v.read[job] + 1, seq}) {
			if err := v.readSingle(ctx, l, seq); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) readSingle(ctx context.Context, l *ledger, seq uint64) error {
	job := string(l.keys)
	r, err := l.read(ctx, seq)
	if err != nil && !errors.Is(err, bucket.ErrNotExist) && !errors.Is(err, ErrForged) && !errors.Is(err, errNewerRecord) {
		return err
	}
	if err == nil {
		v.name(r)
	} else if v.blind = true; job != v.o.Job {
		v.problem(Finding{Where: l.keys.record(seq), Seq: seq, What: fmt.Sprintf("a record of job %s cannot be read: %v", job, err), Do: "verify that job"})
	}
	v.read[job] = seq
	return nil
}

// nextJob returns the first job that has anything in the store, of those whose
// keys come after the given one; "" where there is none.
func nextJob(ctx context.Context, store bucket.Objects, after string) (string, error) {
	for info, err := range store.List(ctx, system, after) {
		if err != nil {
			return "", err
		}
		if job := jobOf(info.Key); job != "" {
			return job, nil
		}
	}
	return "", nil
}
