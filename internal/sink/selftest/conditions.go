package selftest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// Writers race for one object: a store that looks first and writes then lets several
// of them win. Fewer replace one: there are stores that slow down who writes one key
// often.
const (
	newWriters     = 8
	replaceWriters = 4
)

// conditions looks whether conditions hold, and leaves an object at its key.
func (p *examination) conditions(ctx context.Context) error {
	first, err := p.race(ctx, newWriters, "If-None-Match", bucket.Condition{IfNoneMatch: true})
	if err != nil {
		return err
	}
	second, err := p.race(ctx, replaceWriters, "If-Match", bucket.Condition{IfMatch: first})
	if err != nil {
		return err
	}
	for _, c := range []struct {
		key, wrong string
		cond       bucket.Condition
	}{
		{p.keys.Conditions, "wrote an object over another although told not to (If-None-Match is ignored)", bucket.Condition{IfNoneMatch: true}},
		{p.keys.Conditions, "wrote an object over one with another ETag (If-Match is ignored)", bucket.Condition{IfMatch: first}},
		{p.keys.Upload, "wrote an object where the one that it was to replace is not (If-Match is ignored)", bucket.Condition{IfMatch: second}},
	} {
		_, err := bucket.Write(ctx, p.store, c.key, []byte("a write that is to be refused\n"), c.cond)
		switch {
		case err == nil:
			return p.lie("%s", c.wrong)
		case !errors.Is(err, bucket.ErrPrecondition):
			return err
		}
	}
	return nil
}

// race lets all write at once under a condition that holds for one of them, and
// returns the ETag of what that one wrote.
func (p *examination) race(ctx context.Context, writers int, name string, cond bucket.Condition) (etag string, err error) {
	bodies, errs := make([][]byte, writers), make([]error, writers)
	var all sync.WaitGroup
	began := time.Now()
	for i := range writers {
		bodies[i] = fmt.Appendf(nil, "self-test of conditional writes, %s, writer %d, %s\n", name, i, rand.Text())
		all.Go(func() { _, errs[i] = bucket.Write(ctx, p.store, p.keys.Conditions, bodies[i], cond) })
	}
	all.Wait()
	if err := p.refusal(ctx, errs); err != nil {
		return "", err
	}
	won := slices.IndexFunc(errs, func(err error) bool { return err == nil })
	count := 0
	for _, err := range errs {
		if err == nil {
			count++
		}
	}
	if count > 1 {
		return "", p.lie("let %d of %d that wrote one object at once win (%s is ignored, or not looked at by one at a time)", count, writers, name)
	}
	body, info, err := p.store.Get(ctx, p.keys.Conditions)
	if errors.Is(err, bucket.ErrNotExist) && won >= 0 {
		return "", p.lie("does not show an object right after it was written")
	}
	if err != nil && !errors.Is(err, bucket.ErrNotExist) {
		return "", err
	}
	stands := slices.IndexFunc(bodies, func(b []byte) bool { return bytes.Equal(b, body) })
	switch {
	case won >= 0 && stands != won:
		return "", p.lie("shows another object than the one that was just written (%s)", name)
	case stands >= 0: // where nobody was told that he won, the answer was lost
		return info.ETag, p.clock(info, time.Since(began))
	}
	if err := otherThan(errs, bucket.ErrPrecondition); err != nil {
		return "", err
	}
	return "", p.lie("refused all of %d that wrote one object, though the condition held (%s)", writers, name)
}

// refusal is why nobody could write: the store does not know conditions, or writes,
// or may not be written to.
func (p *examination) refusal(ctx context.Context, errs []error) error {
	for _, err := range errs {
		switch {
		case errors.Is(err, bucket.ErrDenied):
			return err
		case !errors.Is(err, bucket.ErrUnsupported):
			continue
		}
		_, plain := bucket.Write(ctx, p.store, p.keys.Conditions, []byte("a write without a condition\n"), bucket.Condition{})
		if errors.Is(plain, bucket.ErrUnsupported) {
			return p.lie("refuses to be written to, with a condition or without (%v); where that is for the checksums that it is sent, set AWS_REQUEST_CHECKSUM_CALCULATION=when_required", plain)
		}
		return p.lie("refuses conditional writes (%v)", err)
	}
	return nil
}

// otherThan is the first error of another kind.
func otherThan(errs []error, kind error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, kind) {
			return err
		}
	}
	return nil
}

// clockSlack is how far the date of an object may lie from the clock of the store
// that has just written it. Leases are measured by the two.
const clockSlack = 20 * time.Second

// clock looks whether the store tells the time, and dates objects by it.
func (p *examination) clock(written bucket.Info, ago time.Duration) error {
	switch off := written.StoreTime.Sub(written.Modified); {
	case written.StoreTime.IsZero():
		return p.lie("does not tell the time (its answers have no Date header), and who works on a job is told by its clock")
	case written.Modified.IsZero():
		return p.lie("does not tell when an object was written (Last-Modified), and who works on a job is told by that")
	case off.Abs() > ago+clockSlack:
		return p.lie("dates an object that was just written %s off its own clock", off.Round(time.Second))
	}
	return nil
}
