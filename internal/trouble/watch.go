package trouble

import (
	"log/slog"
	"sync"
	"time"

	"finoos-syncer/internal/human"
)

const (
	// quiet is how long a trouble is not spoken of, and not counted.
	quiet = 5 * time.Second
	// again is how often it is spoken of while it lasts, and at most how long it is
	// not where it comes and goes.
	again = time.Minute
	// forgotten is after how long without trouble the next one is a first one.
	forgotten = 10 * time.Minute
	// silence is how long nothing comes back before that is trouble by itself.
	silence = 15 * time.Second
	// hush is how long that is at most, however long it has taken before.
	hush = 5 * time.Minute
	// look is how often it is looked whether there is something to say.
	look = time.Second
)

// Watch watches what one run asks for. It is safe for concurrent use; nil is one
// that watches nothing.
type Watch struct {
	log *slog.Logger

	mu     sync.Mutex // guards what follows, and the order of lines
	of     map[Kind]*course
	timer  *time.Timer
	ticks  bool // the timer runs
	closed bool
}

// New makes a watch that speaks to log.
func New(log *slog.Logger) *Watch {
	w := &Watch{log: log, of: make(map[Kind]*course, len(inOrder))}
	for _, k := range inOrder {
		w.of[k] = &course{kind: k}
	}
	return w
}

// Failure is a request that was not served and is made again, by whom it was made
// or by somebody else.
type Failure struct {
	Cause string        // in words that may be told
	Do    string        // what to do about it; "" if nothing is known
	User  string        // whom it was about; "" if nobody. It is not told
	Since time.Time     // when it was sent; zero = now
	Tries time.Duration // how long it is made again; 0 = not known
}

// Begin says that a request is under way.
func (w *Watch) Begin(k Kind) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.of[k]
	if c.flying++; c.flying == 1 {
		c.moved = time.Now()
	}
	w.tick()
}

// End says that it no longer is, whatever came of it.
func (w *Watch) End(k Kind) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[k].flying--
}

// Good says that somebody was served.
func (w *Watch) Good(k Kind) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c, now := w.of[k], time.Now()
	if c.flying > 0 {
		c.longest = max(c.longest, now.Sub(c.moved))
	}
	c.moved, c.good = now, now
	if !c.began.IsZero() && !c.isWait {
		w.end(c, now)
	}
}

// Failed says that somebody was not.
func (w *Watch) Failed(k Kind, f Failure) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[k].fail(f, time.Now())
	w.tick()
	w.look()
}

// Wait says that something is waited for, until when as far as is known (else the
// zero time), and what else is to be said of it. It is spoken of at once; who goes
// on waiting may say so again, and what has changed.
func (w *Watch) Wait(k Kind, until time.Time, attrs ...slog.Attr) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c, now := w.of[k], time.Now()
	if c.began.IsZero() {
		c.began, c.isWait = now, true
	}
	c.until, c.news = until, now
	if len(attrs) > 0 {
		c.attrs = attrs
	}
	w.tick()
	w.look()
}

// Waiting reports whether that is so, and has not come to its end.
func (w *Watch) Waiting(k Kind) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.of[k]
	return c.isWait && time.Now().Before(c.until)
}

// Over says that it is waited for no longer.
func (w *Watch) Over(k Kind) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.of[k]; !c.began.IsZero() {
		w.end(c, time.Now())
	}
}

// GiveUp says that it is waited for no longer, though it has not come: who gave up
// tells why.
func (w *Watch) GiveUp(k Kind) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.of[k]; !c.began.IsZero() {
		c.end(time.Now())
	}
}

// Close ends the watch: nothing is said from then on.
func (w *Watch) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// tick has it looked again in a moment. mu is held.
func (w *Watch) tick() {
	if w.ticks || w.closed {
		return
	}
	w.ticks = true
	if w.timer == nil {
		w.timer = time.AfterFunc(look, w.ticked)
		return
	}
	w.timer.Reset(look)
}

func (w *Watch) ticked() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks = false
	w.look()
	now := time.Now()
	for _, c := range w.of {
		if c.goesOn(now) {
			w.tick()
			return
		}
	}
}

// look says what there is to say. mu is held.
func (w *Watch) look() {
	now := time.Now()
	for _, k := range inOrder {
		c := w.of[k]
		if c.hasPassed(now.Add(-again)) { // unless it is asked for once more
			w.end(c, c.until)
		}
		c.listen(now)
		if what := c.due(now); what != nothing {
			w.say(c, what, now)
			c.told, c.isTold, c.toldOne = now, true, c.isOfOne()
		}
	}
}

// end ends a trouble, and says so if it was spoken of. mu is held.
func (w *Watch) end(c *course, now time.Time) {
	if c.isTold {
		w.say(c, ends, now)
	}
	c.end(now)
}

// say writes a line. mu is held.
func (w *Watch) say(c *course, what phase, now time.Time) {
	if w.closed {
		return
	}
	text, write := said[c.kind], w.log.Warn
	if c.isOfOne() {
		text, write = ofOne, w.log.Info
	}
	attrs := c.says(what, now)
	args := make([]any, len(attrs))
	for i, a := range attrs {
		args[i] = a
	}
	write(text.of(what), args...)
}

// roundly is a time as it is told.
func roundly(d time.Duration) string { return human.Duration(d.Round(time.Second)) }
