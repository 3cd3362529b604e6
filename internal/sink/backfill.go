package sink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
)

// A backfill has three objects of its own, in _syncer/<job>/backfills/<name>/:
//
//	definition.json   what it is to bring; written once, before anything else
//	ledger.json       which records of the log are its own; may be lost
//	finished.json     that all is done; written once, after the last commit
//
// None of them says what is done. That stands in the commit records alone: each
// names an object with the progress that its rows mean, so that rows and
// progress become true in one conditional write, and are taken back together by
// a void. A kill at any instant therefore costs what was not committed, and
// brings nothing twice. The ledger only spares a restart the reading of the
// whole log: it is an index of the records up to some number, to which those
// that came later are added. Where it is lost or old, more of the log is read.

const backfillVersion = 1

// BackfillDefinition is what a backfill is to bring. It is fixed by the name's
// first run.
type BackfillDefinition struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	// Since and Until are the first and the last day, as 2006-01-02.
	Since   string   `json:"since"`
	Until   string   `json:"until"`
	Streams []string `json:"streams"`
	// Users is a digest of the ids that it is restricted to; empty for all.
	Users     string    `json:"users,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// BaseSeq is the newest record when it was defined: its own are newer.
	BaseSeq uint64 `json:"base_seq"`
}

// BackfillDone is when a backfill came to its end.
type BackfillDone struct {
	RunID string    `json:"run_id"`
	At    time.Time `json:"at"`
}

// CheckBackfill says what is wrong with a name for a backfill, which becomes
// part of keys.
func CheckBackfill(name string) error { return checkName("backfill", name) }

// FindBackfill reads what a backfill is to bring, and when it came to its end;
// nil where there is none of that name, or it has not.
func FindBackfill(ctx context.Context, store bucket.Objects, job, name string) (*BackfillDefinition, *BackfillDone, error) {
	if err := errors.Join(checkName("job", job), checkName("backfill", name)); err != nil {
		return nil, nil, err
	}
	keys := jobKeys(job)
	d, err := readDefinition(ctx, store, keys, name)
	if d == nil || err != nil {
		return nil, nil, err
	}
	if d.Version > backfillVersion {
		return nil, nil, fmt.Errorf("backfill %s has version %d, this program reads up to %d: use a newer one", name, d.Version, backfillVersion)
	}
	done, err := readJSON[BackfillDone](ctx, store, keys.finished(name))
	return d, done, err
}

// readDefinition reads what a backfill is to bring; nil where there is none of that
// name. Where there is more of it, a definition was lost: the backfill would begin anew,
// and bring everything once more.
func readDefinition(ctx context.Context, store bucket.Objects, keys jobKeys, name string) (*BackfillDefinition, error) {
	key := keys.definition(name)
	d, err := readJSON[BackfillDefinition](ctx, store, key)
	if err == nil && d != nil {
		if err = d.ours(name); err != nil {
			err = forged(key, err)
		}
	}
	if errors.Is(err, ErrForged) {
		if other := namedButForCase(ctx, store, key, name); other != "" {
			return nil, fmt.Errorf("backfill %s is backfill %s, whose name is the same to this store: give it another name", name, other)
		}
	}
	if err != nil || d != nil {
		return d, err
	}
	for _, key := range []string{keys.backfillLedger(name), keys.finished(name)} {
		stands, err := exists(ctx, store, key)
		if err != nil {
			return nil, fmt.Errorf("look for backfill %s: %w", name, err)
		}
		if stands {
			return nil, forged(keys.definition(name), fmt.Errorf("it is gone, although there is %s", key))
		}
	}
	return nil, nil //nolint:nilnil // that it is absent is an answer
}

// namedButForCase is the name in an object that was written for another one, which is
// the same where case does not count, as in folders of macOS and Windows; "" for others.
func namedButForCase(ctx context.Context, store bucket.Objects, key, name string) string {
	var of struct{ Job, Name string }
	if body, _, err := getSmall(ctx, store, key); err != nil || decode(body, &of) != nil {
		return ""
	}
	if other := cmp.Or(of.Name, of.Job); other != name && strings.EqualFold(other, name) {
		return other
	}
	return ""
}

// readJSON reads a small object; nil where there is none.
func readJSON[T any](ctx context.Context, store bucket.Objects, key string) (*T, error) {
	body, _, err := getSmall(ctx, store, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, nil //nolint:nilnil // that it is absent is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	v := new(T)
	if err = decode(body, v); err == nil {
		_, err = seal.Check(key, body)
	}
	if err != nil {
		return nil, forged(key, err)
	}
	return v, nil
}

// putOnce writes a small object where none stands; what stands there stays.
func putOnce(ctx context.Context, store bucket.Objects, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	_, err = bucket.Write(ctx, store, key, seal.Add(key, body), bucket.Condition{IfNoneMatch: true})
	if err != nil && !errors.Is(err, bucket.ErrPrecondition) {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// Define fixes what the writer's backfill is to bring, and returns what was
// fixed: d, or what an earlier run has written. Nothing may be added before.
func (w *Writer) Define(ctx context.Context, d BackfillDefinition) (*BackfillDefinition, error) {
	if w.past == nil {
		return nil, fmt.Errorf("a %s cannot be defined", w.o.Kind)
	}
	d.Version, d.Name, d.BaseSeq = backfillVersion, w.o.Backfill, w.opened
	if err := putOnce(ctx, w.store, w.keys.definition(d.Name), d); err != nil {
		return nil, fmt.Errorf("define backfill %s: %w", d.Name, err)
	}
	standing, _, err := FindBackfill(ctx, w.store, w.o.Job, d.Name)
	if err == nil && standing == nil {
		err = errors.New("it was removed")
	}
	if err != nil {
		return nil, fmt.Errorf("define backfill %s: %w", d.Name, err)
	}
	return standing, nil
}

// Finish notes that the writer's backfill has nothing left to do. Call it when
// all is committed. It reports false, and notes nothing, where a commit is not
// published yet or was taken back: then the next run finds out what is left.
func (w *Writer) Finish(ctx context.Context) (bool, error) {
	w.gate.Lock()
	defer w.gate.Unlock()
	if err := w.usable(); err != nil {
		return false, err
	}
	if err := w.log.follow(ctx, w.meet); err != nil {
		return false, fmt.Errorf("finish backfill %s: %w", w.o.Backfill, err)
	}
	if err := w.publishAll(ctx); err != nil {
		return false, fmt.Errorf("finish backfill %s: %w", w.o.Backfill, err)
	}
	own := func(r *Record) bool { return r.Backfill == w.o.Backfill }
	takenBack := func(r *Record) bool { return own(r) && r.Kind == KindVoid }
	if slices.ContainsFunc(w.unpublished, own) || slices.ContainsFunc(w.since, takenBack) {
		return false, nil
	}
	if err := putOnce(ctx, w.store, w.keys.finished(w.o.Backfill), BackfillDone{RunID: w.o.RunID, At: w.o.Now().UTC()}); err != nil {
		return false, fmt.Errorf("finish backfill %s: %w", w.o.Backfill, err)
	}
	w.finished = true
	return true, nil
}

// BackfillSummary is how far a backfill is, for people.
type BackfillSummary struct {
	BackfillDefinition
	Finished *BackfillDone `json:"finished,omitempty"`
	// Found is how many users it found when it last ran, 0 before that.
	Found int64 `json:"users"`
	// Done counts the streams of users that are done, by stream; Begun those
	// of which only a part is; Failed those whose last try failed.
	Done   map[string]int64 `json:"done"`
	Begun  map[string]int64 `json:"begun"`
	Failed map[string]int64 `json:"failed"`
}

// Backfills lists the backfills of a job with their progress, by name. It takes
// no lease and changes nothing; scratch is where it keeps what it reads.
func Backfills(ctx context.Context, store bucket.Objects, job, scratch string) ([]BackfillSummary, error) {
	keys := jobKeys(job)
	var names []string
	for info, err := range store.List(ctx, keys.backfills(), "") {
		if err != nil {
			return nil, fmt.Errorf("list backfills: %w", err)
		}
		rest := strings.TrimPrefix(info.Key, keys.backfills())
		if name, file, _ := strings.Cut(rest, "/"); file == "definition.json" && validName.MatchString(name) {
			names = append(names, name)
		}
	}
	all := make([]BackfillSummary, 0, len(names))
	for _, name := range names {
		s, err := summarize(ctx, store, job, name, scratch)
		if err != nil {
			return nil, fmt.Errorf("backfill %s: %w", name, err)
		}
		if s != nil {
			all = append(all, *s)
		}
	}
	return all, nil
}

func summarize(ctx context.Context, store bucket.Objects, job, name, scratch string) (*BackfillSummary, error) {
	d, done, err := FindBackfill(ctx, store, job, name)
	if err != nil || d == nil {
		return nil, err
	}
	s := &BackfillSummary{
		BackfillDefinition: *d, Finished: done,
		Done: map[string]int64{}, Begun: map[string]int64{}, Failed: map[string]int64{},
	}
	p, err := readPast(ctx, store, jobKeys(job), name, scratch)
	if err != nil {
		return nil, err
	}
	defer p.state.spool.Close()
	s.Found = p.ledger.Users
	for b := range cursors.Buckets {
		for of, err := range p.each(ctx, b) {
			if err != nil {
				return nil, err
			}
			for _, at := range of.Streams {
				switch {
				case !at.DoneAt.IsZero():
					s.Done[at.Stream]++
				case at.ErrorClass != "":
					s.Failed[at.Stream]++
				case at.State != nil:
					s.Begun[at.Stream]++
				}
			}
		}
	}
	return s, nil
}
