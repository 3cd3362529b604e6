package trouble

import (
	"log/slog"
	"time"
)

// phase is what is said of a trouble.
type phase int

const (
	nothing phase = iota
	begins
	lasts
	ends
)

// course is how a kind does: what is under way, and the trouble there is, if any.
// The watch guards it.
type course struct {
	kind Kind

	flying  int           // requests under way
	moved   time.Time     // when somebody was served last, or the first of those under way was sent
	good    time.Time     // when somebody was served last
	longest time.Duration // that nothing came back, and then something did

	began   time.Time // of the trouble, zero where there is none
	tries   int64     // that failed
	news    time.Time // when something was last heard of it
	cause   string
	do      string
	trying  time.Duration
	user    string // whom it is about, where that is one
	several bool   // or nobody
	silent  bool   // nothing has failed, nothing came back
	isWait  bool
	until   time.Time
	attrs   []slog.Attr

	told    time.Time // when it was spoken of last
	isTold  bool
	toldOne bool // as of one user

	lately int       // troubles that were spoken of, each soon after the other
	last   time.Time // when the last of them ended
	count  Count
}

// fail takes in a failure.
func (c *course) fail(f Failure, now time.Time) {
	if c.began.IsZero() {
		c.began = now
		if !f.Since.IsZero() {
			c.began = f.Since
		}
		if c.good.After(c.began) {
			c.began = c.good
		}
		c.user = f.User
	}
	c.several = c.several || f.User == "" || c.silent || f.User != c.user
	c.silent = false
	c.tries++
	c.news, c.cause, c.do, c.trying = now, f.Cause, f.Do, f.Tries
}

// listen takes silence for trouble.
func (c *course) listen(now time.Time) {
	if !c.began.IsZero() || c.flying == 0 || now.Sub(c.moved) < max(silence, min(2*c.longest, hush)) {
		return
	}
	c.began, c.silent, c.several, c.cause = c.moved, true, true, "nothing comes back"
}

// patience is how long it is not spoken of.
func (c *course) patience(now time.Time) time.Duration {
	if now.Sub(c.last) > forgotten {
		c.lately = 0
	}
	if c.isWait && c.lately == 0 {
		return 0
	}
	return min(quiet<<min(c.lately, 8), again)
}

// hasPassed says that the end of a pause has come, and nobody has asked since whether
// it is over. That of another run is no promise.
func (c *course) hasPassed(now time.Time) bool {
	return c.kind == Pause && c.isWait && now.After(c.until)
}

// due is what there is to say.
func (c *course) due(now time.Time) phase {
	switch {
	case c.began.IsZero():
		return nothing
	case !c.isTold || c.toldOne && !c.isOfOne():
		if now.Sub(c.began) >= c.patience(now) {
			return begins
		}
	case now.Sub(c.told) < again, c.hasPassed(now):
	case c.isWait, c.news.After(c.told), c.flying > 0:
		return lasts
	}
	return nothing
}

// goesOn says that there may soon be something to say.
func (c *course) goesOn(now time.Time) bool {
	if c.flying > 0 {
		return true
	}
	return !c.began.IsZero() && (c.isWait || now.Sub(c.news) <= 2*again)
}

// isOfOne says that only one user is not served, by an API that answers.
func (c *course) isOfOne() bool { return c.kind == Errors && !c.several && c.user != "" }

// end forgets the trouble, and counts it.
func (c *course) end(now time.Time) {
	c.count = c.sum(now)
	if c.isTold && c.kind != Lease {
		c.lately++
		c.last = now
	}
	*c = course{
		kind: c.kind, flying: c.flying, moved: c.moved, good: c.good, longest: c.longest,
		lately: c.lately, last: c.last, count: c.count,
	}
}

// says is what a line has to say.
func (c *course) says(what phase, now time.Time) []slog.Attr {
	var attrs []slog.Attr
	if c.cause != "" && what != ends {
		attrs = append(attrs, slog.String("cause", c.cause))
	}
	if what != begins || !c.isWait {
		attrs = append(attrs, slog.String("for", roundly(now.Sub(c.began))))
	}
	if c.tries > 0 {
		attrs = append(attrs, slog.Int64("tries", c.tries))
	}
	if what == ends {
		return attrs
	}
	attrs = append(attrs, c.attrs...)
	if c.trying > 0 {
		attrs = append(attrs, slog.String("trying_for", roundly(c.trying)))
	}
	if left := c.until.Sub(now); !c.until.IsZero() && left > 0 {
		attrs = append(attrs, slog.Time("until", c.until.UTC().Round(time.Second)), slog.String("left", roundly(left)))
	}
	if c.do != "" && what == begins {
		attrs = append(attrs, slog.String("hint", c.do))
	}
	return attrs
}
