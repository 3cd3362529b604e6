package joined

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// Streams are those that one answer may bring, in the order in which a user is pulled.
func Streams() []config.Stream {
	return []config.Stream{config.StreamAccounts, config.StreamTransactions, config.StreamCategorization}
}

const (
	// shownBy is how many users of a run must show that the one answer holds what the
	// endpoints hold, and auditShare one of how many is read both ways ever after.
	shownBy    = 20
	auditShare = 50
	// mostTried is how many are read both ways until so many have shown it: those who
	// have nothing to compare show nothing.
	mostTried = 3 * shownBy
	// fewAtOnce is how many are tried at once before any answer could be used.
	fewAtOnce = 4
	// mostUnusable answers in a row are no accident of single users.
	mostUnusable = 5
	// mostWasted answers that could not be used are enough to see whether it pays.
	mostWasted = shownBy
	// EnoughFirst is how many pulls it takes for it to pay: twenty comparisons, and
	// those to come, cost a request each, and each pull that is not compared saves two.
	EnoughFirst = 3 * shownBy
)

// Options say what a trial is made for.
type Options struct {
	Mode string // of the job: auto, joined or separate
	// Why is why a job that leaves the choice does not try; "" where it does.
	Why string
	// Day draws those who are read both ways: others on each day, so that nobody is left
	// out for ever.
	Day string
	// Pulls is how many are known to come.
	Pulls int64
	// Doubted streams were found to differ not long ago.
	Doubted map[config.Stream]Doubt
}

// Trial is what a run knows of the one answer. It guards itself.
type Trial struct {
	mu sync.Mutex
	o  Options

	seen     int64 // pulls that it could have been for
	flying   int   // users who are read both ways
	tried    int   // such users so far
	shown    int   // of them those who have shown that it holds what the endpoints hold
	usable   bool  // some answer could be used
	unusable int   // how many in a row could not
	wasted   int64 // how many in all
	granted  int64 // answers that are about to be used
	without  map[config.Stream][]string
	largest  finoos.JoinedSize // that was compared
	views    views
	counts   report.First
}

// NewTrial begins a run's trial.
func NewTrial(o Options) *Trial {
	t := &Trial{o: o, without: map[config.Stream][]string{}}
	t.counts.Mode = config.FirstJoined
	for stream, doubt := range o.Doubted {
		t.without[stream] = []string{"in doubt since " + doubt.At.Format("2006-01-02")}
	}
	switch {
	case o.Mode == config.FirstSeparate:
		t.stop("the job says so")
	case o.Why != "":
		t.stop(o.Why)
	default:
		t.stopIfTooFew()
	}
	return t
}

// stop ends it for the run. mu is held, if anybody else knows of the trial.
func (t *Trial) stop(why string) {
	if t.counts.Mode != config.FirstSeparate {
		t.counts.Mode, t.counts.Why = config.FirstSeparate, why
	}
}

func (t *Trial) stopped() bool { return t.counts.Mode == config.FirstSeparate }

// left are those of the streams that the one answer may stand for.
func (t *Trial) left(streams []config.Stream) []config.Stream {
	return slices.DeleteFunc(slices.Clone(streams), func(s config.Stream) bool {
		_, out := t.without[s]
		return out
	})
}

// stopIfTooFew stops where it would save nothing any more.
func (t *Trial) stopIfTooFew() {
	if len(t.left(Streams())) < 2 {
		t.stop("it is not what the endpoints tell: " + t.differences())
	}
}

// differences says in what it is not, stream by stream.
func (t *Trial) differences() string {
	var texts []string
	for _, s := range Streams() {
		if names, out := t.without[s]; out {
			texts = append(texts, string(s)+" ("+strings.Join(names, ", ")+")")
		}
	}
	return strings.Join(texts, "; ")
}

// Plan is how the streams of a user are read; without streams, each by its endpoint.
type Plan struct {
	Streams []config.Stream // that the one answer is for
	Both    bool            // it is compared with the endpoints, which are what counts
	View    *finoos.JoinedView
}

// Ask says how a user is read of whom the streams of wanted are due in full. Where the
// plan has streams, it ends in [Trial.Unusable], [Trial.Used] or [Trial.Compared].
func (t *Trial) Ask(user string, wanted []config.Stream) Plan {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(wanted) < 2 {
		return Plan{}
	}
	t.seen++
	wanted = t.left(wanted)
	switch {
	case t.stopped() || len(wanted) < 2:
		return Plan{}
	case t.o.Mode == config.FirstAuto && max(t.o.Pulls, t.seen) < EnoughFirst:
		return Plan{}
	case t.shown >= shownBy:
		both := isAudited(t.o.Day, user)
		if both {
			t.flying++
		}
		return Plan{Streams: wanted, Both: both, View: t.views.view()}
	case !t.usable && t.flying >= fewAtOnce, t.flying+t.shown >= shownBy:
		return Plan{}
	case t.tried >= mostTried:
		if t.flying == 0 {
			t.stop(fmt.Sprintf("of the first %d users only %d have what can be compared", mostTried, t.shown))
		}
		return Plan{}
	}
	t.tried++
	t.flying++
	return Plan{Streams: wanted, Both: true, View: t.views.view()}
}

// isAudited says that a user is one of the few who are read both ways on a day.
func isAudited(day, user string) bool {
	return xxhash.Sum64String("joined\x00"+day+"\x00"+user)%auditShare == 0
}

// Look goes through an answer before it is used: whether it can be read, and what fields
// it has of which nobody has told yet whose they are. An error is why it cannot be used.
func Look(body *finoos.Joined, view *finoos.JoinedView) (fields []string, err error) {
	names, odd := map[string]bool{}, 0
	if err := body.Accounts().Each(func(a *finoos.Account) error { odd += a.Unreadable + a.Replaced; return nil }); err != nil {
		return nil, err
	}
	if err := body.Transactions(view).Each(func(b *finoos.Transaction) error {
		odd += b.Unreadable + b.Replaced
		return namesIn(b.Extra, names)
	}); err != nil {
		return nil, err
	}
	if err := body.Categorization(view).Each(func(c *finoos.Categorization) error { odd += c.Unreadable + c.Replaced; return nil }); err != nil {
		return nil, err
	}
	if odd > 0 {
		return nil, &finoos.NotJoinedError{Why: finoos.JoinedUnreadable}
	}
	return slices.Collect(maps.Keys(names)), nil
}

// Suits says whether an answer for some streams that was not to be compared may be used:
// nothing larger than was compared, no field of which nobody knows whose it is, and no
// stream that was found to differ while the answer was on its way. Else it is compared,
// too: an answer that is cut at some size is as large as that at most.
func (t *Trial) Suits(size finoos.JoinedSize, fields []string, streams []config.Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped() || len(t.left(streams)) < len(streams) {
		t.flying++
		return false
	}
	if size.Accounts <= t.largest.Accounts && size.Transactions <= t.largest.Transactions && size.Largest <= t.largest.Largest && t.views.know(fields) {
		t.granted++
		return true
	}
	t.flying++
	return false
}

// Unusable notes that an answer could not be had or not be used, and why; the user is
// read from the endpoints.
func (t *Trial) Unusable(err error, both bool) {
	why := whyNot(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if both {
		t.flying--
	}
	if t.counts.FellBack == nil {
		t.counts.FellBack = map[string]int64{}
	}
	t.counts.FellBack[why]++
	if t.wasted++; t.wasted >= mostWasted && t.wasted > 2*t.counts.Joined { // each that is used saves two
		t.stop(fmt.Sprintf("it costs more than it saves: %d answers of %d could not be used", t.wasted, t.wasted+t.counts.Joined+t.counts.Compared))
	}
	if why == finoos.JoinedEmpty { // there are such users
		return
	}
	if t.unusable++; t.unusable >= mostUnusable {
		t.stop(fmt.Sprintf("%d answers in a row could not be used: %s", mostUnusable, why))
	}
}

// whyNot names why an answer could not be had or used: few words.
func whyNot(err error) string {
	if not, ok := errors.AsType[*finoos.NotJoinedError](err); ok {
		return not.Why
	}
	if api, ok := errors.AsType[*finoos.Error](err); ok && api.Refusal() != "" {
		return api.Refusal()
	}
	if class := finoos.ClassOf(err); class != "" {
		return string(class)
	}
	return "internal"
}

// Used notes that a user was read by one answer.
func (t *Trial) Used() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Joined++
	t.granted = max(0, t.granted-1)
	t.usable, t.unusable = true, 0
}

// Verdict is what came of a comparison.
type Verdict struct {
	Compared bool                       // else it was not made to its end, or both have moved
	Differs  map[config.Stream][]string // and the fields in which
	Size     finoos.JoinedSize
	Tells    bool // each stream has a record
	tags     []string
	bookings []string
}

// Compared takes in what came of a user who was read both ways. doubtful are the streams
// of which what was read by one answer before, in this run and in others, may be wrong;
// inDoubt is how many users of this run that concerns.
func (t *Trial) Compared(v Verdict) (doubtful []config.Stream, inDoubt int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flying--
	if !v.Compared {
		t.counts.Unclear++
		return nil, 0
	}
	t.counts.Compared++
	t.usable, t.unusable = true, 0
	t.views.learn(v.tags, v.bookings)
	if len(v.Differs) == 0 {
		t.counts.Equal++
		if t.largest = larger(t.largest, v.Size); v.Tells {
			t.shown++
		}
		return nil, 0
	}
	t.counts.Differed++
	for _, s := range Streams() {
		if names, differs := v.Differs[s]; differs {
			if _, known := t.without[s]; !known {
				t.without[s], doubtful = names, append(doubtful, s)
			}
		}
	}
	if t.stopIfTooFew(); t.counts.Joined+t.granted > 0 && len(doubtful) > 0 {
		t.counts.InDoubt = t.counts.Joined + t.granted
		t.stop("it is not what the endpoints tell: " + t.differences())
	}
	return doubtful, t.counts.InDoubt
}

func larger(a, b finoos.JoinedSize) finoos.JoinedSize {
	return finoos.JoinedSize{Accounts: max(a.Accounts, b.Accounts), Transactions: max(a.Transactions, b.Transactions), Largest: max(a.Largest, b.Largest)}
}

// Report is what there is to say of it; nil where there was nothing to decide.
func (t *Trial) Report() *report.First {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == 0 && t.o.Mode != config.FirstSeparate {
		return nil
	}
	r := t.counts
	r.FellBack = maps.Clone(r.FellBack)
	r.Pulls = t.seen
	if len(t.without) > 0 {
		r.Without = map[config.Stream][]string{}
		maps.Copy(r.Without, t.without)
	}
	if r.Mode == config.FirstJoined && r.Joined+r.Compared == 0 {
		r.Mode = config.FirstSeparate
		r.Why = fmt.Sprintf("it pays from %d pulls on", EnoughFirst)
		if t.tried > 0 {
			r.Why = "it is not shown that it holds what the endpoints hold"
		}
	}
	return &r
}
