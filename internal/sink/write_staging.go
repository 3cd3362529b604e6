package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
	"finoos-syncer/internal/sink/table"
)

// stagingRecord names every key that a run may have begun to write to and
// that is invisible, or worthless, until a commit names it. It is durable
// before the first of these writes, so that whoever sweeps up after the run
// need not search for them.
type stagingRecord struct {
	RunID    string `json:"run_id"`
	Kind     string `json:"kind"`
	Shard    int    `json:"shard"`
	Shards   int    `json:"shards"`
	Backfill string `json:"backfill,omitempty"`
	// BaseSeq is the newest record when the run began: its own are newer.
	BaseSeq uint64   `json:"base_seq"`
	Uploads []string `json:"uploads"`
	Cursors []string `json:"cursors"`
}

// stager hands out the keys of one run. Safe for concurrent use.
type stager struct {
	store bucket.Objects
	keys  jobKeys

	mu       slowMutex
	record   stagingRecord
	numbered int64             // the last number given out
	day      string            // of the keys in free
	free     map[string]string // table -> a key that is staged and not used yet
	cursors  string            // the same for a cursor object
	written  bool              // the record may exist
}

func newStager(store bucket.Objects, keys jobKeys, o *Options) *stager {
	return &stager{mu: newSlowMutex(), store: store, keys: keys, free: map[string]string{}, record: stagingRecord{
		RunID: o.RunID, Kind: o.Kind, Shard: o.Shard.Index, Shards: o.Shard.Count, Backfill: o.Backfill,
	}}
}

// setBase notes the newest record when the run began. Called before any key is
// handed out.
func (s *stager) setBase(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.BaseSeq = seq
}

// dataKey returns a key for a file of the table that is opened now.
func (s *stager) dataKey(ctx context.Context, tab string, now time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if day := now.UTC().Format(time.DateOnly); s.day != day {
		clear(s.free)
		s.day = day
	}
	if s.free[tab] == "" {
		if err := s.reserve(ctx, now); err != nil {
			return "", err
		}
	}
	key := s.free[tab]
	delete(s.free, tab)
	return key, nil
}

// cursorKey returns a key for a cursor object.
func (s *stager) cursorKey(ctx context.Context, now time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cursors == "" {
		if err := s.reserve(ctx, now); err != nil {
			return "", err
		}
	}
	key := s.cursors
	s.cursors = ""
	return key, nil
}

// reserve names a key for each table that has none to spare, and writes the
// record: one write for all tables instead of one for each.
func (s *stager) reserve(ctx context.Context, now time.Time) error {
	r, free, cursors := s.record, map[string]string{}, s.cursors
	for _, t := range table.Tables() {
		if free[t.Name] = s.free[t.Name]; free[t.Name] == "" {
			free[t.Name] = dataKey(t.Name, now, r.RunID, r.Shard, s.next())
			r.Uploads = append(r.Uploads, free[t.Name])
		}
	}
	if cursors == "" {
		cursors = s.keys.cursors(r.RunID, r.Shard, s.next())
		r.Cursors = append(r.Cursors, cursors)
	}
	if err := s.write(ctx, &r); err != nil {
		return err
	}
	s.record, s.free, s.cursors = r, free, cursors
	return nil
}

func (s *stager) write(ctx context.Context, r *stagingRecord) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode staging record: %w", err)
	}
	key := s.keys.staging(r.RunID, r.Shard)
	body = seal.Add(key, body)
	if err := checkSmall(key, body); err != nil {
		return err
	}
	s.written = true
	if _, err := bucket.Write(ctx, s.store, key, body, bucket.Condition{}); err != nil {
		return fmt.Errorf("stage keys: %w", err)
	}
	return nil
}

// restage writes the record again, in case somebody who took this run for
// dead has swept up after it.
func (s *stager) restage(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(ctx, &s.record)
}

func (s *stager) next() int64 {
	s.numbered++
	return s.numbered
}

// staged returns the record, and whether it may have been written.
func (s *stager) staged() (stagingRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record, s.written
}

// listStagings reads the staging records of all runs of the job.
func listStagings(ctx context.Context, store bucket.Objects, keys jobKeys) ([]stagingRecord, error) {
	var found []stagingRecord
	for info, err := range store.List(ctx, keys.stagings(), "") {
		if err != nil {
			return nil, fmt.Errorf("list staging records: %w", err)
		}
		if !strings.HasSuffix(info.Key, ".json") {
			continue
		}
		r, err := readStaging(ctx, store, keys, info.Key)
		if errors.Is(err, bucket.ErrNotExist) {
			continue // its run has ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// readStaging reads one staging record. What it names is its own run's: ErrForged
// else.
func readStaging(ctx context.Context, store bucket.Objects, keys jobKeys, key string) (r stagingRecord, err error) {
	body, _, err := getSmall(ctx, store, key)
	if err != nil {
		return r, fmt.Errorf("read staging record: %w", err)
	}
	return parseStaging(keys, key, body)
}

func parseStaging(keys jobKeys, key string, body []byte) (r stagingRecord, err error) {
	if err = decode(body, &r); err == nil {
		err = r.ours(key, keys)
	}
	if err == nil {
		_, err = seal.Check(key, body)
	}
	if err != nil {
		return r, forged(key, err)
	}
	return r, nil
}

// readFrom returns a number of the log that none of the run's own records are older
// than. What it says itself counts only if none of its cursor objects is older than
// that record: who forges it would else have them deleted although records name them.
func (st *stagingRecord) readFrom(ctx context.Context, store bucket.Objects, keys jobKeys) (uint64, error) {
	if st.BaseSeq == 0 {
		return 0, nil
	}
	base, err := store.Stat(ctx, keys.record(st.BaseSeq))
	if errors.Is(err, bucket.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look when run %s began: %w", st.RunID, err)
	}
	for info, err := range store.List(ctx, keys.cursorsOf(st.RunID), "") {
		if err != nil {
			return 0, fmt.Errorf("look when run %s began: %w", st.RunID, err)
		}
		if info.Modified.Before(base.Modified) {
			return 0, nil
		}
	}
	return st.BaseSeq, nil
}

// named is what commits have made true, and sweeping must not touch.
type named struct {
	uploads map[string]string // key -> id of the upload
	cursors map[string]bool   // key
}

func (n *named) add(r *Record) {
	if n.uploads == nil {
		n.uploads, n.cursors = map[string]string{}, map[string]bool{}
	}
	for _, f := range r.Files {
		n.uploads[f.Path] = f.Upload.ID
	}
	n.cursors[r.Cursors.Path] = true
}

// sweep removes what a run staged and no commit names, then the staging
// record. It may be repeated. For a run other than one's own, it must have
// been fenced off before.
func sweep(ctx context.Context, store bucket.Store, keys jobKeys, st *stagingRecord, keep *named) error {
	for _, key := range st.Uploads {
		pending, err := store.PendingUploads(ctx, key)
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		for _, up := range pending {
			if keep.uploads[key] == up.ID {
				continue
			}
			if err := store.AbortUpload(ctx, up); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	for _, key := range st.Cursors {
		if keep.cursors[key] {
			continue
		}
		if err := store.Delete(ctx, key); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	if err := store.Delete(ctx, keys.staging(st.RunID, st.Shard)); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}
