package trouble

import "time"

// Count is what was waited for of a kind: troubles that lasted for five seconds or
// more, and whatever is waited for by name.
type Count struct {
	Times   int64   `json:"times"`
	Seconds float64 `json:"seconds"`
	Tries   int64   `json:"tries"` // that failed
}

// soFar is what was counted, with the trouble there is: as far as is known of it, since
// nobody may be trying any more.
func (c *course) soFar(now time.Time) Count {
	if c.hasPassed(now) {
		return c.sum(c.until)
	}
	if c.isWait || c.silent {
		return c.sum(now)
	}
	return c.sum(c.news)
}

// sum is what was counted, with the trouble that there is until now.
func (c *course) sum(now time.Time) Count {
	n := c.count
	if lasted := now.Sub(c.began); !c.began.IsZero() && (c.isWait || lasted >= quiet) {
		n.Times++
		n.Seconds += float64(lasted.Milliseconds()) / 1000
		n.Tries += c.tries
	}
	return n
}

// Counts are what was waited for so far, by kind; kinds without trouble are missing.
func (w *Watch) Counts() map[Kind]Count {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var counts map[Kind]Count
	for k, c := range w.of {
		n := c.soFar(time.Now())
		if n == (Count{}) {
			continue
		}
		if counts == nil {
			counts = map[Kind]Count{}
		}
		counts[k] = n
	}
	return counts
}

// State is the trouble there is. Its zero value is none.
type State struct {
	Kind  Kind
	Cause string
	Since time.Time
	Until time.Time // zero where that is not known
}

// Now is the trouble there is: where there are several, what the others follow from.
func (w *Watch) Now() State {
	if w == nil {
		return State{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, k := range inOrder {
		c := w.of[k]
		if c.began.IsZero() || !c.isTold || !c.goesOn(now) || c.hasPassed(now) {
			continue
		}
		return State{Kind: k, Cause: c.cause, Since: c.began, Until: c.until}
	}
	return State{}
}
