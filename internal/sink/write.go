package sink

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/process"
	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
	"finoos-syncer/internal/sink/selftest"
	"finoos-syncer/internal/sink/table"
	"finoos-syncer/internal/trouble"
)

// Options say what a [Writer] writes for, and how.
type Options struct {
	Store bucket.Store
	// Job, RunID and RunGroup become parts of keys and records. RunID is new
	// for every process.
	Job, RunID, RunGroup string
	Kind                 string        // KindRun (the default) or KindBackfill
	Backfill             string        // the name of a backfill
	Shard                cursors.Shard // the zero value is the only shard there is
	Source               Source
	Holder               string // host and process, for the messages of others

	LeaseWait  time.Duration // how long to wait for a living holder
	LeaseTTL   time.Duration // default 60 s
	LeaseRenew time.Duration // default a quarter of LeaseTTL

	AtOnce         int            // how many banks may be asked side by side
	Masking        *table.Masking // what is hidden in the tables; nil = nothing
	Compression    string
	TargetFileSize int64  // default 128 MiB
	ScratchDir     string // for cursors that are being read and parts that grow; default the system's
	Now            func() time.Time
	Logger         *slog.Logger
	Trouble        *trouble.Watch // told who is waited for; nil = one that speaks to Logger

	patience        patience
	checkpointEvery int
}

const (
	defaultLeaseTTL = time.Minute
	defaultFileSize = 128 << 20
)

func (o *Options) complete() error {
	if o.Kind == "" {
		o.Kind = KindRun
	}
	if o.Shard.Count == 0 {
		o.Shard.Count = 1
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = defaultLeaseTTL
	}
	if o.LeaseRenew == 0 {
		o.LeaseRenew = o.LeaseTTL / 4
	}
	if o.TargetFileSize <= 0 {
		o.TargetFileSize = defaultFileSize
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Trouble == nil {
		o.Trouble = trouble.New(o.Logger)
	}
	if o.patience == (patience{}) {
		o.patience = patient
	}
	if o.checkpointEvery == 0 {
		o.checkpointEvery = checkpointEvery
	}
	return o.check()
}

func (o *Options) check() error {
	if err := errors.Join(checkName("job", o.Job), checkName("run id", o.RunID)); err != nil {
		return err
	}
	if o.RunGroup != "" && !id.Valid(o.RunGroup) {
		return fmt.Errorf("run group %.100q: use no control characters, and at most 1 KiB", o.RunGroup)
	}
	if o.Shard.Index < 0 || o.Shard.Index >= o.Shard.Count || o.Shard.Count > cursors.Buckets {
		return fmt.Errorf("shard %d of %d: count from 0, and at most %d", o.Shard.Index, o.Shard.Count, cursors.Buckets)
	}
	switch {
	case o.Kind == KindRun && o.Backfill == "":
		return nil
	case o.Kind == KindBackfill:
		return checkName("backfill", o.Backfill)
	default:
		return fmt.Errorf("kind %q with backfill %q: not a kind of run", o.Kind, o.Backfill)
	}
}

// Writer is one run's hold on a job's state: it reads the cursors that were
// committed, and commits rows and new cursors. Its methods are safe for
// concurrent use.
type Writer struct {
	o      Options
	store  bucket.Store
	keys   jobKeys
	leases *leases
	lease  *leaseKeeper
	vigil  *vigil
	staged *stager
	lanes  map[string]*lane
	state  *cursorState  // as of Open; does not change
	opened uint64        // the newest record then
	seq    atomic.Uint64 // where the run stands in the log: see Seq
	past   *past         // of a backfill, as of Open; nil for a run
	// attempts are what banks are about to be asked for, and were by runs that ended.
	attempts *attempts.Book

	// gate is held for reading by who adds and for writing by who commits, so
	// that a commit never cuts a batch.
	gate sync.RWMutex

	// Owned by who holds gate for writing (and by Open before that).
	log         *ledger
	base        uint64          // all records up to here are part of what the run builds on
	since       []*Record       // newer than at Open: the run's own, and those it met
	unpublished []*Record       // of all that are known, in order
	voided      map[uint64]bool // taken back by somebody else
	kept        named           // what this run has committed
	finished    bool            // of a backfill: it has come to its end
	unsettled   bool            // the outcome of a commit is unknown: leave everything to the next run
	closed      bool
	closeErr    error

	mu      sync.Mutex // guards what follows
	cursors []cursors.Cursor
	held    int64 // bytes of cursors
	users   int64 // of a backfill
	failed  error
}

// Open begins a run: it looks whose lake it is, takes the lease, tests the store, finishes what dead
// runs had committed and clears what they had not, and finds the cursors.
func Open(ctx context.Context, o Options) (*Writer, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("open sink: %w", err)
	}
	if err := CheckSchema(ctx, o.Store, o.Job); err != nil {
		return nil, fmt.Errorf("open sink: %w", err)
	}
	w := newWriter(o)
	body := leaseBody{
		RunID: o.RunID, Nonce: rand.Text(), Holder: o.Holder, Kind: o.Kind, Shard: o.Shard.Index, Shards: o.Shard.Count,
		Backfill: o.Backfill, AcquiredAt: o.Now().UTC(), Process: process.Self(),
	}
	etag, err := w.leases.acquire(ctx, body, o.LeaseWait)
	if err != nil {
		if errors.Is(err, bucket.ErrUnsupported) {
			// The first conditional write: the test tells what of it is refused.
			err = cmp.Or(selftest.Run(ctx, o.Store, w.keys.selfTest(o.RunID)), selftest.Lying(o.Store, "refuses conditional writes (%v)", err))
		}
		return nil, fmt.Errorf("open sink: %w", err)
	}
	w.lease = keepLease(ctx, w.leases, body, etag, o.LeaseRenew, o.Logger)
	w.vigil.lease = w.lease
	if err := w.start(ctx); err != nil {
		last, cancel := outlive(ctx, o.patience.grace)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("open sink: %w", err), w.lease.release(last))
	}
	return w, nil
}

func newWriter(o Options) *Writer {
	keys := jobKeys(o.Job)
	w := &Writer{
		o: o, store: o.Store, keys: keys,
		leases: &leases{store: o.Store, keys: keys, ttl: o.LeaseTTL, watch: o.Trouble},
		log:    &ledger{store: o.Store, keys: keys, patience: o.patience},
		staged: newStager(o.Store, keys, &o),
		lanes:  map[string]*lane{},
		voided: map[uint64]bool{},
	}
	w.vigil = &vigil{staged: w.staged}
	w.attempts = attempts.NewBook(attempts.Options{
		Store: o.Store, Prefix: keys.attempts(), RunID: o.RunID, AtOnce: o.AtOnce, Logger: o.Logger,
		Key:   func(n int64) string { return keys.attempt(o.RunID, o.Shard.Index, n) },
		Check: func(ctx context.Context) error { return w.vigil.check(ctx) },
	})
	slots := newPartSlots()
	for _, t := range table.Tables() {
		w.lanes[t.Name] = &lane{
			table: t, store: watchedUploads{o.Store, w.vigil}, staged: w.staged, target: o.TargetFileSize, now: o.Now,
			slots: slots, dir: o.ScratchDir, mu: newSlowMutex(),
			opts: table.FileOptions{RunID: o.RunID, Compression: o.Compression, Masking: o.Masking},
		}
	}
	return w
}

// start is the part of Open that runs under the lease.
func (w *Writer) start(ctx context.Context) error {
	lapses := w.lease.lapsed()
	err := selftest.Run(ctx, w.store, w.keys.selfTest(w.o.RunID))
	if errors.Is(err, ErrLyingStore) || errors.Is(err, bucket.ErrNoUpload) {
		// Who took a run that slept for dead has swept what it tests with.
		switch ours, renewErr := w.lease.renew(ctx); {
		case renewErr == nil && !ours:
			return fmt.Errorf("%w: it holds the lease", ErrOvertaken)
		case renewErr == nil && w.lease.lapsed() > lapses:
			err = selftest.Run(ctx, w.store, w.keys.selfTest(w.o.RunID))
		}
	}
	if err != nil {
		return err
	}
	if w.state, err = locate(ctx, w.store, w.keys, w.o.ScratchDir); err != nil {
		return err
	}
	records, err := w.takeOver(ctx)
	if err != nil {
		return err
	}
	w.opened, w.base = w.log.tail, w.log.tail
	w.seq.Store(w.base)
	w.staged.setBase(w.base)
	w.lease.setBase(w.readsFrom())
	w.state.commits = records
	if err := w.state.findVoided(ctx); err != nil {
		return err
	}
	for _, r := range records {
		if w.state.erasesAll(r) && w.state.floor(w.o.Shard) < r.Seq {
			w.o.Logger.ErrorContext(ctx, "the cursors of a record that was taken back are gone: all users of its buckets are pulled in full",
				"seq", r.Voids, "voided_by", r.Seq, "buckets", len(r.Buckets))
		}
	}
	if w.o.Kind == KindBackfill {
		if w.past, err = readPast(ctx, w.store, w.keys, w.o.Backfill, w.o.ScratchDir); err != nil {
			return err
		}
	}
	return w.lease.confirm(ctx)
}

// readsFrom is the number from which on the run needs what stands beside the log: what
// only older checkpoints need may be swept under it. A run reads buckets that nobody else
// writes checkpoints of; a backfill reads everybody's, which go on meanwhile.
func (w *Writer) readsFrom() uint64 {
	if w.o.Kind == KindBackfill {
		return min(w.base, w.state.floor(w.o.Shard)+1)
	}
	return w.base
}

// Attempts is where a session is noted before a bank is asked for it.
func (w *Writer) Attempts() *attempts.Book { return w.attempts }

// AttemptsLeft calls each with the attempts of runs that have ended at users of this
// one's, object by object.
func (w *Writer) AttemptsLeft(ctx context.Context, each func([]*attempts.Ticket) error) error {
	return w.attempts.Left(ctx, func(userID string) bool { return w.o.Shard.Owns(cursors.BucketOf(userID)) }, each)
}

// clearAttempts deletes the notes of what has been committed, once it can not be taken
// back: when it is published.
func (w *Writer) clearAttempts(ctx context.Context) {
	if err := w.attempts.Clear(ctx); err != nil {
		w.o.Logger.WarnContext(ctx, "notes of what banks were asked for are left for the next run", "error", err)
	}
}

// Opened is the newest record when the run began: what it reads of cursors and
// marks is as of then.
func (w *Writer) Opened() uint64 { return w.opened }

// Alive is closed when the lease was found in other hands; Err tells more.
func (w *Writer) Alive() <-chan struct{} { return w.lease.lost }

// Err says why nothing more can be added or committed, nil while all is well.
// It is ErrOvertaken when the lease was lost to another run.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil && w.lease.isLost() {
		w.failed = fmt.Errorf("%w: it holds the lease", ErrOvertaken)
	}
	return w.failed
}

// fail makes err, or what failed before it, the answer to all that follows.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	return err
}

// WriteReport writes the run report, an object of JSON.
func (w *Writer) WriteReport(ctx context.Context, body []byte) error {
	key := w.keys.report(w.o.RunID)
	body = seal.Add(key, body)
	if err := checkSmall(key, body); err != nil {
		return fmt.Errorf("write run report: %w", err)
	}
	if _, err := bucket.Write(ctx, w.store, key, body, bucket.Condition{}); err != nil {
		return fmt.Errorf("write run report: %w", err)
	}
	return nil
}
