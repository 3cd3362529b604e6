package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
)

const (
	// readAhead is how many records are held at once while the log is read.
	readAhead = 64
	// readersAtOnce bounds concurrent requests for records.
	readersAtOnce = 8
)

// ReadLog yields the records of a job that are newer than after, in order.
// A loader stops at the first that is not Published. The first error ends it.
func ReadLog(ctx context.Context, store bucket.Objects, job string, after uint64) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		l := &ledger{store: store, keys: jobKeys(job)}
		last, published, err := l.list(ctx, after)
		if err != nil {
			yield(nil, err)
			return
		}
		for from := after + 1; from <= last; from += readAhead {
			records, err := l.readRange(ctx, from, min(last, from+readAhead-1))
			if errors.Is(err, bucket.ErrNotExist) {
				err = forged(l.keys.log(), fmt.Errorf("it goes up to record %d, and has a gap: %w", last, err))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range records {
				r.Published = published[r.Seq]
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// ledger is the log as one run sees it. Not safe for concurrent use.
type ledger struct {
	store    bucket.Objects
	keys     jobKeys
	patience patience

	// tail is the newest record known; all older ones have been looked at.
	tail uint64
	// sum is that of the newest record, "" where it is not known: the next one says
	// what it follows, so that none can be replaced unseen.
	sum string
}

// step moves the tail to the next record.
func (l *ledger) step(r *Record) error {
	if r.Prev != "" && l.sum != "" && r.Prev != l.sum {
		return forged(l.keys.record(l.tail), fmt.Errorf("it is not what stood before record %d when that was written: it was replaced", r.Seq))
	}
	l.tail, l.sum = r.Seq, r.SHA256
	return nil
}

// list returns the newest number above after and which of them are marked
// published.
func (l *ledger) list(ctx context.Context, after uint64) (last uint64, published map[uint64]bool, err error) {
	last, published = after, map[uint64]bool{}
	for info, err := range l.store.List(ctx, l.keys.log(), l.keys.afterSeq(after)) {
		if err != nil {
			return 0, nil, fmt.Errorf("list the log: %w", err)
		}
		seq, mark, ok := l.keys.parseLog(info.Key)
		if !ok || seq <= after {
			continue
		}
		last = max(last, seq)
		if mark {
			published[seq] = true
		}
	}
	return last, published, nil
}

// readRange reads the records first to last. The log has no holes: a record
// is written only by who has seen the one before it.
func (l *ledger) readRange(ctx context.Context, first, last uint64) ([]*Record, error) {
	records := make([]*Record, last-first+1)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readersAtOnce)
	for i := range records {
		g.Go(func() (err error) {
			records[i], err = l.read(ctx, first+uint64(i)) // an index is not negative
			return err
		})
	}
	return records, g.Wait()
}

// read returns one record; bucket.ErrNotExist where there is none.
func (l *ledger) read(ctx context.Context, seq uint64) (*Record, error) {
	body, _, err := getSmall(ctx, l.store, l.keys.record(seq))
	if err != nil {
		return nil, fmt.Errorf("read record %d: %w", seq, err)
	}
	return readRecord(l.keys, body, seq)
}

// scan calls meet with everything newer than after, in order, and moves the
// tail to the end of the log. A record of another schema ends it, as it ends follow.
func (l *ledger) scan(ctx context.Context, after uint64, meet func(*Record) error) error {
	l.tail, l.sum = after, ""
	for r, err := range ReadLog(ctx, l.store, string(l.keys), after) {
		if err != nil {
			return err
		}
		if err := l.checkSchema(r); err != nil {
			return err
		}
		if err := l.step(r); err != nil {
			return err
		}
		if err := meet(r); err != nil {
			return err
		}
	}
	return nil
}

// append writes r under the next free number, which it sets. meet is called,
// in order, with every record of others that was found on the way; an error of
// its ends the attempt, and then r is certainly not written.
//
// When it cannot be found out whether r was written, the error is errUnsettled.
func (l *ledger) append(ctx context.Context, r *Record, meet func(*Record) error) error {
	for {
		r.Seq, r.Prev = l.tail+1, l.sum
		mine, err := l.claim(ctx, r)
		if err != nil {
			return err
		}
		if mine {
			l.tail, l.sum = r.Seq, r.SHA256
			return nil
		}
		if err := l.follow(ctx, meet); err != nil {
			return err
		}
	}
}

// claim writes r under its number and reports whether it stands there; false
// says that another record does. It never gives a number up on its own: that
// a write failed, was refused or cannot be read back decides nothing, since a
// late answer to an earlier attempt may still make it true.
func (l *ledger) claim(ctx context.Context, r *Record) (bool, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return false, fmt.Errorf("encode record: %w", err)
	}
	key := l.keys.record(r.Seq)
	body = seal.Add(key, body)
	r.SHA256, r.Sealed = sumOf(body), true
	if err := checkSmall(key, body); err != nil {
		return false, err
	}
	for attempt := 0; ; attempt++ {
		_, putErr := l.store.Put(ctx, key, body, bucket.Condition{IfNoneMatch: true})
		if putErr == nil {
			return true, nil
		}
		found, readErr := l.read(ctx, r.Seq)
		switch {
		case readErr == nil:
			return found.isBy(r), nil
		case !errors.Is(readErr, bucket.ErrNotExist):
			putErr = errors.Join(putErr, readErr)
		}
		if attempt+1 >= l.patience.attempts {
			return false, fmt.Errorf("%w: %w", errUnsettled, putErr)
		}
		if err := l.patience.pause(ctx, attempt); err != nil {
			return false, fmt.Errorf("%w: %w", errUnsettled, errors.Join(err, putErr))
		}
	}
}

// follow reads on from the tail to the end of the log.
func (l *ledger) follow(ctx context.Context, meet func(*Record) error) error {
	for {
		r, err := l.read(ctx, l.tail+1)
		if errors.Is(err, bucket.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.checkSchema(r); err != nil {
			return err
		}
		if err := l.step(r); err != nil {
			return err
		}
		if err := meet(r); err != nil {
			return err
		}
	}
}
