package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
)

// Look is a job's state as it was committed when [OpenLook] read the log. It
// takes no lease and writes nothing; a run may be at work. Its methods are not
// safe for concurrent use.
//
// A run that goes on meanwhile sweeps what newer checkpoints cover: then a
// method fails with bucket.ErrNotExist, and a new Look succeeds.
type Look struct {
	state *cursorState
	shard cursors.Shard
	upTo  uint64

	fetched bool // the objects that all of the shard's cursors stand in
}

// LookOptions say what is looked at.
type LookOptions struct {
	Store bucket.Objects
	Job   string
	Shard cursors.Shard // the zero value is the only shard there is
	// Source is where the job is pointed at now: ErrSource if its state comes
	// from another. The zero value is that this is not known, and not compared.
	Source     Source
	ScratchDir string // for cursors that are being read; default the system's
}

// OpenLook finds what was committed. That it is nothing is no error; that the lake
// is of another schema is [ErrSchema].
func OpenLook(ctx context.Context, o LookOptions) (*Look, error) {
	if err := checkName("job", o.Job); err != nil {
		return nil, fmt.Errorf("look at the sink: %w", err)
	}
	if err := CheckSchema(ctx, o.Store, o.Job); err != nil {
		return nil, fmt.Errorf("look at the sink: %w", err)
	}
	l := &Look{shard: o.Shard}
	if l.shard.Count == 0 {
		l.shard.Count = 1
	}
	var err error
	if l.state, err = locate(ctx, o.Store, jobKeys(o.Job), o.ScratchDir); err != nil {
		return nil, fmt.Errorf("look at the sink: %w", err)
	}
	after := max(l.state.floor(l.shard), 1) - 1 // one more, to compare the source with
	var last *Record
	read := &ledger{store: o.Store, keys: jobKeys(o.Job)}
	for r, err := range ReadLog(ctx, o.Store, o.Job, after) {
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("look at the sink: %w", err)
		}
		if err := errors.Join(read.checkSchema(r), r.check()); err != nil {
			l.Close()
			return nil, err
		}
		last, l.upTo = r, r.Seq
		l.state.commits = append(l.state.commits, r.trimmed())
	}
	err = l.state.checkLog(ctx, l.upTo)
	if err == nil {
		err = l.state.findVoided(ctx)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("look at the sink: %w", err)
	}
	if last != nil && o.Source != (Source{}) {
		if err := sameSource(o.Job, last, o.Source); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// LastSeq is the number of the newest record, 0 where there is none.
func (l *Look) LastSeq() uint64 { return l.upTo }

// EachUser yields the users of one of the shard's buckets with their cursors,
// sorted by id: of what runs have pulled, so that whom only a backfill has met is
// not among them. One user is held at a time.
func (l *Look) EachUser(ctx context.Context, b int) iter.Seq2[UserCursors, error] {
	return func(yield func(UserCursors, error) bool) {
		if !l.fetched {
			if err := l.state.fetchAll(ctx, l.shard, l.upTo); err != nil {
				yield(UserCursors{}, fmt.Errorf("read cursors: %w", err))
				return
			}
			l.fetched = true
		}
		for u, err := range l.state.eachUser(ctx, l.shard, b, l.upTo) {
			u.Cursors = pulled(u.Cursors)
			if (err != nil || len(u.Cursors) > 0) && !yield(u, err) {
				return
			}
		}
	}
}

// Cursors returns what EachUser yields of some users of a bucket, by user, and
// reads no further than these.
func (l *Look) Cursors(ctx context.Context, b int, users ...string) (map[string][]cursors.Cursor, error) {
	byUser, err := l.state.cursorsOf(ctx, l.shard, b, l.upTo, users)
	for id, cs := range byUser {
		if byUser[id] = pulled(cs); len(byUser[id]) == 0 {
			delete(byUser, id)
		}
	}
	return byUser, err
}

// pulled leaves out what only a backfill knows of.
func pulled(cs []cursors.Cursor) []cursors.Cursor {
	return slices.DeleteFunc(cs, func(c cursors.Cursor) bool { return c.MarkOnly })
}

// Close gives back the scratch files.
func (l *Look) Close() { l.state.spool.Close() }

// Reports yields the run reports of a job whose run ids are greater than
// after, those of the newest runs first. They are read as they are asked for.
func Reports(ctx context.Context, store bucket.Objects, job, after string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		keys := jobKeys(job)
		from := ""
		if after != "" {
			from = keys.report(after)
		}
		var found []string
		for info, err := range store.List(ctx, keys.reports(), from) {
			if err != nil {
				yield(nil, fmt.Errorf("list run reports: %w", err))
				return
			}
			if run := strings.TrimSuffix(strings.TrimPrefix(info.Key, keys.reports()), reportSuffix); validName.MatchString(run) && info.Key == keys.report(run) {
				found = append(found, info.Key)
			}
		}
		for _, key := range slices.Backward(found) {
			body, _, err := getSmall(ctx, store, key)
			if errors.Is(err, bucket.ErrNotExist) {
				continue // somebody has cleared up
			}
			if _, broken := seal.Check(key, body); err == nil && broken != nil || errors.Is(err, ErrForged) {
				body, err = nil, nil // that it cannot be read is for the caller to say
			}
			if err != nil {
				err = fmt.Errorf("read run report: %w", err)
			}
			if !yield(body, err) || err != nil {
				return
			}
		}
	}
}

// ReadReport returns the report of one run, or bucket.ErrNotExist.
func ReadReport(ctx context.Context, store bucket.Objects, job, runID string) ([]byte, error) {
	if err := checkName("run", runID); err != nil {
		return nil, fmt.Errorf("read run report: %w", bucket.ErrNotExist) // no run is called so
	}
	key := jobKeys(job).report(runID)
	body, _, err := getSmall(ctx, store, key)
	if err == nil {
		if _, broken := seal.Check(key, body); broken != nil {
			err = forged(key, broken)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read run report: %w", err)
	}
	return body, nil
}

// Reports yields the run reports of the writer's job: see the function of
// that name.
func (w *Writer) Reports(ctx context.Context, after string) iter.Seq2[[]byte, error] {
	return Reports(ctx, w.store, w.o.Job, after)
}
