package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
	"finoos-syncer/internal/sink/table"
)

// recordVersion is the version of the records that this package writes, and
// the newest that it reads.
const recordVersion = 1

// Schema is the version of what a lake holds: its tables, and what cursors
// remember of them. A job goes on over a lake of its own schema alone, since rows of
// two have keys that do not meet.
const Schema = table.Schema

// firstSchema is that of records that say none.
const firstSchema = 1

// The kinds of records.
const (
	KindRun      = "run"      // makes the files and cursors of a run true
	KindBackfill = "backfill" // the same for a backfill
	KindFence    = "fence"    // tells a run that was taken for dead that it is
	KindVoid     = "void"     // takes an older record back
)

// Record is one entry of a job's log: once it stands there, what it names is
// true. It never changes.
type Record struct {
	Version  int    `json:"version"`
	Schema   int    `json:"schema"`
	Seq      uint64 `json:"seq"`
	Job      string `json:"job"`
	RunID    string `json:"run_id"`
	RunGroup string `json:"run_group,omitempty"`
	// Nonce tells this record from any other that the same run may have
	// tried to write.
	Nonce string `json:"nonce"`
	// Prev is the sum of the record before; records of earlier versions, and the
	// first, have none.
	Prev        string    `json:"prev_sha256,omitempty"`
	Shard       int       `json:"shard"`
	Shards      int       `json:"shards"`
	Kind        string    `json:"kind"`
	CommittedAt time.Time `json:"committed_at"`
	// BaseSeq is the newest record that the run knew of and built upon.
	BaseSeq uint64 `json:"base_seq"`
	// Buckets are the buckets of users that the record speaks for: those of
	// the shard, of the run that is fenced off, of the record taken back.
	Buckets []int  `json:"buckets"`
	Source  Source `json:"source"`
	// Backfill names the backfill: of the record, or that a fence is for.
	Backfill string `json:"backfill,omitempty"`
	// Fences is the run that a fence is for.
	Fences string `json:"fences,omitempty"`
	// Voids is the number of the record that a void takes back.
	Voids uint64 `json:"voids,omitempty"`

	Cursors CursorObject            `json:"cursors,omitzero"`
	Files   []File                  `json:"files"`
	Tables  map[string]TableChanges `json:"tables"`

	// Published says that the record's files are visible (or were taken
	// back). It is not part of the record, but of the log.
	Published bool `json:"-"`
	// SHA256 is the sum of the object that the record was read from, or written to.
	SHA256 string `json:"-"`
	// Sealed says that the record is as it was written. Those of earlier versions do
	// not tell.
	Sealed bool `json:"-"`
}

// Source is where a job's data comes from. It is pinned by the first record.
type Source struct {
	BaseURL string `json:"base_url"`
	Tenant  string `json:"tenant,omitempty"`
}

// CursorObject names the cursors that a commit makes true.
type CursorObject = cursors.Object

// File is a data file that a commit makes true.
type File struct {
	Table string `json:"table"`
	// Path is the key, below the sink's prefix.
	Path   string     `json:"path"`
	Rows   int64      `json:"rows"`
	Bytes  int64      `json:"bytes"`
	SHA256 string     `json:"sha256"` // of the whole file, hexadecimal
	Upload FileUpload `json:"upload"`
}

// FileUpload is the pending upload that becomes the file when it is completed
// with these parts.
type FileUpload struct {
	bucket.Upload
	Parts []bucket.Part `json:"parts"`
}

// TableChanges sums up what a commit does to one table.
type TableChanges struct {
	Upserts int64 `json:"upserts"`
	Deletes int64 `json:"deletes"`
	// Sums holds the sum of each money column over all rows written.
	Sums map[string]string `json:"sums,omitempty"`
}

// touches says whether the record speaks for a bucket of users that the shard
// owns.
func (r *Record) touches(s cursors.Shard) bool { return slices.ContainsFunc(r.Buckets, s.Owns) }

// isBy says whether the record is that very one.
func (r *Record) isBy(o *Record) bool { return r.RunID == o.RunID && r.Nonce == o.Nonce }

// trimmed returns what has to be remembered of a record once it is published.
func (r *Record) trimmed() *Record {
	t := *r
	t.Files, t.Tables = nil, nil
	return &t
}

// parseRecord reads the record with the given number.
func parseRecord(body []byte, seq uint64) (*Record, error) {
	r := &Record{SHA256: sumOf(body)}
	if err := decode(body, r); err != nil {
		return nil, fmt.Errorf("record %d: %w", seq, err)
	}
	if r.Version > recordVersion {
		return nil, fmt.Errorf("record %d has %w %d, this program reads up to %d: use a newer one", seq, errNewerRecord, r.Version, recordVersion)
	}
	if r.Schema == 0 {
		r.Schema = firstSchema
	}
	if r.Seq != seq {
		return nil, fmt.Errorf("record %d calls itself %d", seq, r.Seq)
	}
	for what, text := range map[string]string{"run": r.RunID, "run group": r.RunGroup, "backfill": r.Backfill, "fenced run": r.Fences} {
		if text != "" && !id.Valid(text) {
			return nil, fmt.Errorf("record %d: the name of its %s is longer than 1 KiB or holds control characters", seq, what)
		}
	}
	if err := r.ours(); err != nil {
		return nil, fmt.Errorf("record %d: %w", seq, err)
	}
	return r, nil
}

// errNewerRecord says that a record is of a newer program's making.
var errNewerRecord = errors.New("version")

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// readRecord reads what stands under a number in the log of a job.
func readRecord(keys jobKeys, body []byte, seq uint64) (*Record, error) {
	r, err := parseRecord(body, seq)
	if errors.Is(err, errNewerRecord) {
		return nil, err
	}
	if err == nil && r.Job != string(keys) {
		err = fmt.Errorf("record %d: it is of job %q", seq, r.Job)
	}
	if err == nil {
		var broken error
		if r.Sealed, broken = seal.Check(keys.record(seq), body); broken != nil && r.Schema == Schema { // else that is what to say
			err = fmt.Errorf("record %d: %w", seq, broken)
		}
	}
	if err != nil {
		return nil, forged(keys.record(seq), err)
	}
	return r, nil
}

// check refuses a record that no run can have written: what it lacks would be gone by,
// silently.
func (r *Record) check() error {
	why := r.lacks()
	if why == "" && r.unsealed() {
		why = "was changed: it has lost its sum"
	}
	if why != "" {
		return forged(jobKeys(r.Job).record(r.Seq), fmt.Errorf("record %d of kind %.20q %s", r.Seq, r.Kind, why))
	}
	return nil
}

// unsealed says that a record of this version has no seal, as it was written with.
func (r *Record) unsealed() bool { return r.Prev != "" && !r.Sealed }

// lacks says what is missing of a record for its kind, "" where nothing is.
func (r *Record) lacks() string {
	outside := func(b int) bool { return b < 0 || b >= cursors.Buckets }
	if r.Sealed {
		return "" // so it was written
	}
	switch {
	case !slices.Contains([]string{KindRun, KindBackfill, KindFence, KindVoid}, r.Kind):
		return "is of none that there is"
	case len(r.Buckets) == 0 || slices.ContainsFunc(r.Buckets, outside):
		return "speaks for no users: its buckets are empty or none"
	case (r.Kind == KindRun || r.Kind == KindBackfill) && r.Cursors.Path == "":
		return "has no cursors"
	case r.Kind == KindVoid && r.Voids == 0:
		return "takes back no record"
	case r.Kind == KindFence && r.Fences == "":
		return "fences nobody"
	}
	return ""
}

// checkSchema refuses a record of another schema than the program's.
func (l *ledger) checkSchema(r *Record) error {
	if r.Schema == Schema {
		return nil
	}
	where := l.keys.record(r.Seq)
	if store, ok := l.store.(fmt.Stringer); ok {
		where += " in " + store.String()
	}
	return fmt.Errorf("%w: %s is of schema %d, this program reads and writes %d; %s", ErrSchema, where, r.Schema, Schema, doSchema(r.Schema))
}

// doSchema is what to do about a lake of another schema.
func doSchema(found int) string {
	if found > Schema {
		return "use a newer program"
	}
	return "no way leads from one to the other: give sink.url a prefix of its own, or remove all that is below this one; everything is then pulled anew"
}

// CheckSchema returns [ErrSchema] where a lake that the job would go on with, or
// would share, is of another schema. It reads the first record of the job, or of
// each that writes to the same tables while the job itself has none: a log is of
// one schema, and is kept.
func CheckSchema(ctx context.Context, store bucket.Objects, job string) error {
	found, err := checkFirst(ctx, store, job)
	for after := ""; err == nil && !found; {
		var other string
		if other, err = nextJob(ctx, store, after); err != nil || other == "" {
			break
		}
		after = behindJob(other)
		_, err = checkFirst(ctx, store, other)
	}
	if errors.Is(err, bucket.ErrDenied) {
		return nil // what a job may not see, it cannot be told by
	}
	return err
}

// checkFirst checks a job's first record, and tells whether there is one. One that
// cannot be read is for others to judge.
func checkFirst(ctx context.Context, store bucket.Objects, job string) (found bool, err error) {
	l := &ledger{store: store, keys: jobKeys(job)}
	r, err := l.read(ctx, 1)
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return false, nil
	case err == nil:
	case !errors.Is(err, ErrForged) && !errors.Is(err, errNewerRecord):
		return false, fmt.Errorf("job %s: %w", job, err)
	default:
		if other := namedButForCase(ctx, store, l.keys.record(1), job); other != "" {
			err = fmt.Errorf("%w: the log of job %s is that of job %s, whose name is the same to this store; give the job another name", ErrSource, job, other)
			return true, err
		}
		return true, nil
	}
	return true, l.checkSchema(r)
}
