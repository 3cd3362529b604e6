package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
)

// VerifyOptions say what to verify.
type VerifyOptions struct {
	Store      bucket.Store
	Job        string
	ScratchDir string // takes one file after the other; default the system's
	// Progress, where set, is called after each record that was looked at.
	Progress func(*Verification)
}

// Verification is what a verification found. What is in Problems and Notes is
// capped; the counts are not.
type Verification struct {
	Job   string `json:"job"`
	Store string `json:"store"`
	// Records is how many stand in the log, LastSeq the newest of them.
	Records int64  `json:"records"`
	LastSeq uint64 `json:"last_seq"`
	Voided  int64  `json:"voided"`
	// Unpublished records are those of a run that is at work, or of one that
	// was killed. Their files were not read.
	Unpublished int64 `json:"unpublished"`
	// Cursors is how many rows the cursor objects and checkpoints hold.
	Cursors int64 `json:"cursors"`
	// Tables sums up what was read of each table.
	Tables map[string]VerifiedTable `json:"tables"`

	ProblemCount int64     `json:"problem_count"`
	Problems     []Finding `json:"problems"`
	NoteCount    int64     `json:"note_count"`
	Notes        []Finding `json:"notes"`
}

// VerifiedTable is what the committed files of a table hold.
type VerifiedTable struct {
	Files   int64             `json:"files"`
	Bytes   int64             `json:"bytes"`
	Rows    int64             `json:"rows"`
	Upserts int64             `json:"upserts"`
	Deletes int64             `json:"deletes"`
	Sums    map[string]string `json:"sums,omitempty"`
}

// Finding is one thing that is not as it should be (a problem), or that will
// not stay as it is (a note).
type Finding struct {
	Where string `json:"where"` // a key
	Seq   uint64 `json:"seq,omitempty"`
	What  string `json:"what"`
	Do    string `json:"do"`

	// gone says that what the record named is not there: no problem if it
	// turns out that the record was taken back.
	gone bool
}

// maxFindings is how many problems, and how many notes, are kept.
const maxFindings = 1000

// What to do about things that several checks find.
const (
	doRestore    = "bring it back from a backup or an older version of the object; else pull everything again (run --full)"
	doWait       = "nothing: the run at work does it, else the next one"
	doLogFirst   = "put the log right first: what is missing there may name it"
	doNotOurs    = "find out who put it there, and delete it: readers of the table see it"
	doCursors    = "bring it back from a backup or an older version of the object: without it, the job cannot go on, only begin anew once all of its _syncer/ folder is deleted"
	doCheckpoint = "if it is damaged or another's, delete it: the one before it, or the log's own objects, say the same"
	doRecord     = "bring it back from a backup or an older version of the object: without it, the job cannot go on"
	doStaging    = "delete it when no run is at work: what its run had begun and not committed then stays invisible, until a lifecycle rule aborts incomplete uploads"
	doMarkAgain  = "delete it: the next run writes it again, from what stands"
	doMark       = "run the job; where that does not write it, bring it back from a backup or an older version of the object"
	doStranger   = "find out who put it there, and delete it"
	doLease      = "delete it when no run is at work"
	doLeftovers  = "nothing: the next run of the job clears it away"
)

// Verify reads everything back that the log of a job says: that every file is
// there and holds what its record says, that nothing is visible that no record
// names, and that nothing is left over. It changes nothing and takes no lease.
// A run may be at work beside it.
//
// Problems are in the result. An error means that it could not be found out; a lake
// of another schema is [ErrSchema].
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	if err := checkName("job", o.Job); err != nil {
		return nil, err
	}
	if err := CheckSchema(ctx, o.Store, o.Job); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	v := newVerifier(o)
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"list checkpoints", v.listCheckpoints},
		{"read log", v.readLog},
		{"look at what was taken back", v.readVoids},
		{"look who is at work", v.readStaged},
		{"look at what is not published", v.readUnpublished},
		{"read checkpoints", v.checkCheckpoints},
		{"look at small objects", v.checkSmall},
		{"look for a longer log", v.findLongerLog},
		{"look for cursors that no commit names", v.findUnnamedCursors},
		{"look for files that no commit names", v.findUnnamed},
		{"look for leftovers", v.findLeftovers},
		{"compare records with what follows them", v.checkReplaced},
	} {
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("verify: %s: %w", step.name, err)
		}
	}
	return v.result(), nil
}

// verifier is one verification under way.
type verifier struct {
	o     VerifyOptions
	store bucket.Store
	keys  jobKeys
	found Verification

	problems, notes []Finding

	next        uint64          // the record that is due
	sum         string          // of the record before, "" where it is not known
	replaced    []Finding       // records that are not those that others followed
	accused     map[uint64]bool // records of which something is wrong
	told        map[string]bool // keys of objects of which something is wrong
	commits     []*Record       // what is left to know of all records
	staged      []stagingRecord
	alive       map[string]bool            // runs
	fenced      nameSet                    // runs that were taken for dead
	ledgers     map[string]*backfillLedger // of backfills, as the log has them
	defined     map[string]bool            // backfills of which there is anything
	ended       map[string]bool            // backfills that say so
	barely      uint64                     // a record whose cursors but one checkpoint stands in for
	unchecked   [2]int64                   // cursor objects and checkpoints that tell no checksum
	voids       map[uint64]uint64          // record -> the one that takes it back
	marked      map[uint64]uint64          // the same, as the marks say
	unpublished []uint64
	checkpoints map[int][]uint64
	cursors     nameSet
	files       nameSet           // of all jobs
	read        map[string]uint64 // job -> the newest record whose files are known
	longer      bool              // the log was
	blind       bool              // a record could not be read, so that files may be named that are not known
}

func newVerifier(o VerifyOptions) *verifier {
	return &verifier{
		o: o, store: o.Store, keys: jobKeys(o.Job), next: 1,
		fenced: nameSet{}, ledgers: map[string]*backfillLedger{}, defined: map[string]bool{}, ended: map[string]bool{},
		accused: map[uint64]bool{}, told: map[string]bool{},
		voids: map[uint64]uint64{}, marked: map[uint64]uint64{},
		cursors: nameSet{}, files: nameSet{}, read: map[string]uint64{},
		found: Verification{Job: o.Job, Store: o.Store.String(), Tables: map[string]VerifiedTable{}, Problems: []Finding{}, Notes: []Finding{}},
	}
}

func (v *verifier) problem(f Finding) {
	v.found.ProblemCount++
	v.told[f.Where] = true
	if f.Seq > 0 {
		v.accused[f.Seq] = true
	}
	if len(v.problems) < maxFindings {
		v.problems = append(v.problems, f)
	}
}

func (v *verifier) note(f Finding) {
	v.found.NoteCount++
	v.told[f.Where] = true
	if len(v.notes) < maxFindings {
		v.notes = append(v.notes, f)
	}
}

// forgive drops the problems that a condition explains.
func (v *verifier) forgive(explained func(Finding) bool) {
	before := len(v.problems)
	v.problems = slices.DeleteFunc(v.problems, explained)
	v.found.ProblemCount -= int64(before - len(v.problems))
}

func (v *verifier) result() *Verification {
	v.found.Problems = append(v.found.Problems, v.problems...)
	v.found.Notes = append(v.found.Notes, v.notes...)
	return &v.found
}

// get reads a record. A nil record is one that is absent (bucket.ErrNotExist
// in why) or says nothing; err is for what could not be found out.
func (v *verifier) get(ctx context.Context, seq uint64) (r *Record, why, err error) {
	body, _, err := getSmall(ctx, v.store, v.keys.record(seq))
	if errors.Is(err, bucket.ErrNotExist) || errors.Is(err, ErrForged) {
		return nil, err, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if r, why = readRecord(v.keys, body, seq); why != nil {
		return nil, why, nil
	}
	return r, nil, nil
}

// mark reads what is written beside a published record; nil where there is
// nothing.
func (v *verifier) mark(ctx context.Context, seq uint64) (m *publishedMark, why, err error) {
	body, _, err := getSmall(ctx, v.store, v.keys.published(seq))
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, nil, nil
	}
	m = new(publishedMark)
	if errors.Is(err, ErrForged) {
		return m, err, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if m, why = parseMark(body, seq); why == nil {
		_, why = seal.Check(v.keys.published(seq), body)
	}
	return m, why, nil
}
