package sink

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/selftest"
)

var (
	// ErrOvertaken says that another run has taken over what this one was
	// working on. Nothing that was not committed will be: stop and Close.
	ErrOvertaken = errors.New("overtaken by another run")
	// ErrSource says that the job's state was built from another finoOS or
	// tenant than the one configured now.
	ErrSource = errors.New("the job's state belongs to another source")
	// ErrSchema says that the lake was written with other columns and keys, so that
	// what this program would add to it could not be read with what is there.
	ErrSchema = errors.New("the lake is of another schema")
	// ErrForged says that an object of the job's is damaged, or somebody else's: it is
	// not what a run writes at its key, or names what its run could not have written.
	// Nothing was read, written or deleted on its word. The error names the object.
	ErrForged = errors.New("an object is damaged or forged")
	// ErrLyingStore says that the store does not keep what the commit
	// protocol is built on.
	ErrLyingStore = selftest.ErrLying

	// ErrLog says that records of the commit log are missing that there were: what comes
	// next would take their numbers, and write again what they tell of.
	ErrLog = errors.New("the commit log was longer")

	// ErrState says that a state object stands there and cannot be read: damaged,
	// too large, or of another program's. Who reads it goes on as if there were none.
	ErrState = errors.New("the state object cannot be read")

	// errUnsettled says that it could not be found out whether a commit
	// record was written. Whatever it names must be left alone.
	errUnsettled = errors.New("whether the commit was recorded could not be found out; the next run will")
	// errClosed is the answer to calls after Close.
	errClosed = errors.New("the writer is closed")
)

// IsDamage says of an error that what lies in the bucket is not what was written there.
func IsDamage(err error) bool {
	return slices.ContainsFunc([]error{ErrForged, ErrLog, cursors.ErrDamaged, cursors.ErrUserID, cursors.ErrCorrupt, errNotOfItsPlace},
		func(of error) bool { return errors.Is(err, of) })
}

// IsUnsettled says of an error that a commit which failed with it may stand all the same.
func IsUnsettled(err error) bool { return errors.Is(err, errUnsettled) }

// HeldError says that somebody else holds the lease.
type HeldError struct {
	Holder string // as it calls itself
	RunID  string
	Shard  cursors.Shard // that it works on
	Until  time.Time     // that the lease holds, unless it is renewed
	Since  time.Time     // by the holder's clock
	// Backfill is the name of the backfill that is at work, if it is one.
	Backfill string
}

func (e *HeldError) Error() string {
	since := ""
	if !e.Since.IsZero() {
		since = " since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s is at work on %s%s (run %s, lease until %s): wait for it, or stop it",
		e.holder(), e.on(), since, human.Line(e.RunID, 40), e.Until.UTC().Format(time.RFC3339))
}

// holder is who holds it: what it calls itself comes from the bucket.
func (e *HeldError) holder() string { return human.Line(e.Holder, 100) }

// on is what the holder works on.
func (e *HeldError) on() string {
	if e.Backfill != "" {
		return "backfill " + human.Line(e.Backfill, 100)
	}
	return fmt.Sprintf("shard %d of %d", e.Shard.Index, e.Shard.Count)
}

// tell is what is said of the holder while it is waited for.
func (e *HeldError) tell() []slog.Attr {
	return []slog.Attr{
		slog.String("holder", e.holder()), slog.String("works_on", e.on()), slog.Time("since", e.Since.UTC().Truncate(time.Second)),
		slog.String("holder_run", human.Line(e.RunID, 40)), slog.Time("lease_until", e.Until.UTC()),
	}
}
