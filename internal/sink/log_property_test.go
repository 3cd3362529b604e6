package sink

import (
	"errors"
	cmdline "flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/cursors"
)

// The histories of this test are numbered by their seeds. To see one again:
//
//	go test ./internal/sink -run Histories -log.seed 42 -log.histories 1 -v
var (
	logSeed      = cmdline.Uint64("log.seed", 0, "the first history of the log's property test; 0 takes any")
	logHistories = cmdline.Int("log.histories", 2500, "how many histories the log's property test goes through")
)

// TestTheLogKeepsItsPromisesInAllHistories lets two or three processes append
// to one log through a store that answers late, wrongly or not at all. One
// process takes one step at a time; which, and what comes of it, is drawn.
func TestTheLogKeepsItsPromisesInAllHistories(t *testing.T) {
	t.Parallel()
	seed, histories := *logSeed, *logHistories
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	if _, step := sample(8); histories > 300 {
		histories /= step
	}
	t.Logf("histories %d to %d", seed, seed+uint64(histories)-1)
	var all outcomes
	for i := range histories {
		h := newHistory(seed + uint64(i))
		h.play()
		wrong := h.check()
		all.add(h.outcomes)
		if len(wrong) > 0 {
			t.Fatalf("history %d: %s\n%s", h.seed, strings.Join(wrong, "\n"), strings.Join(h.store.trace, "\n"))
		}
		if *logHistories == 1 {
			t.Logf("%s", strings.Join(h.store.trace, "\n"))
		}
	}
	t.Logf("%+v", all)
	// What never happened was not tested.
	if histories >= 300 && slices.Min([]int{all.Committed, all.Overtaken, all.Unsettled, all.UnsettledButStanding, all.Late, all.OwnRefused, all.Failed}) < 10 {
		t.Errorf("some outcome hardly ever came about: %+v", all)
	}
}

func TestAHistoryIsTheSameWheneverItIsPlayed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		first, second := newHistory(seed), newHistory(seed)
		first.play()
		second.play()
		if diff := cmp.Diff(first.store.trace, second.store.trace); diff != "" {
			t.Fatalf("history %d (-once +again):\n%s", seed, diff)
		}
	}
}

// outcomes counts what came about.
type outcomes struct {
	Committed, Overtaken, Unsettled, UnsettledButStanding, Failed int
	Late, OwnRefused                                              int // writes
}

func (o *outcomes) add(p outcomes) {
	o.Committed += p.Committed
	o.Overtaken += p.Overtaken
	o.Unsettled += p.Unsettled
	o.UnsettledButStanding += p.UnsettledButStanding
	o.Failed += p.Failed
	o.Late += p.Late
	o.OwnRefused += p.OwnRefused
}

// history is what some processes do to one log.
type history struct {
	seed     uint64
	store    *weakStore
	attempts [][]*attempt // by process
	outcomes outcomes
}

// attempt is one record that was to be appended.
type attempt struct {
	record *Record
	base   uint64 // what its run built upon
	err    error
}

func newHistory(seed uint64) *history {
	random := rand.New(rand.NewPCG(seed, 1))
	processes := 2 + random.IntN(2)
	return &history{seed: seed, store: newWeakStore(random, processes), attempts: make([][]*attempt, processes)}
}

func (h *history) play() {
	for p := range h.attempts {
		random := rand.New(rand.NewPCG(h.seed, uint64(p)+2))
		go func() {
			store := weakHandle{weakStore: h.store, process: p}
			defer store.leave()
			for run := range 1 + random.IntN(3) {
				h.attempts[p] = append(h.attempts[p], oneRun(store, random, fmt.Sprintf("process %d run %d", p, run))...)
			}
		}()
	}
	h.store.schedule()
}

// oneRun opens the log as a run does, and commits until it cannot.
func oneRun(store weakHandle, random *rand.Rand, id string) (made []*attempt) {
	w := &Writer{
		o:      Options{RunID: id, Kind: KindRun, Shard: []cursors.Shard{{Index: 0, Count: 1}, {Index: 0, Count: 2}, {Index: 1, Count: 2}, {Index: 1, Count: 3}}[random.IntN(4)], Job: "j", Now: time.Now},
		voided: map[uint64]bool{},
		log:    &ledger{store: store, keys: "j", patience: patience{attempts: 1 + random.IntN(4)}},
	}
	if random.IntN(4) == 0 {
		w.o.Kind, w.o.Backfill = KindBackfill, []string{"a", "b"}[random.IntN(2)]
	}
	if err := w.log.follow(store.ctx(), func(*Record) error { return nil }); err != nil {
		return nil
	}
	w.base = w.log.tail
	for n := range 1 + random.IntN(4) {
		r := w.newRecord(w.o.Kind, w.o.Shard.Buckets())
		r.Nonce = fmt.Sprintf("%s record %d", id, n)
		meet := w.meet
		switch r.Backfill = w.o.Backfill; {
		case n == 0 && random.IntN(4) == 0: // as a takeover: whoever is met is let be
			r.Kind, r.Fences, meet = KindFence, fmt.Sprintf("process %d run %d", random.IntN(3), random.IntN(3)), func(*Record) error { return nil }
		case n == 0 && random.IntN(8) == 0 && w.base > 0:
			r.Kind, r.Voids, meet = KindVoid, w.base, func(*Record) error { return nil }
		}
		a := &attempt{record: r, base: w.base}
		made = append(made, a)
		if a.err = w.log.append(store.ctx(), r, meet); a.err != nil {
			return made
		}
		w.base = r.Seq
	}
	return made
}

// check compares what stands in the end with what the processes were told. It
// knows the rules from the design, not from the code.
func (h *history) check() (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	wrong = append(wrong, h.store.wrong...)
	log, gap := h.store.log()
	if gap != "" {
		complain("%s", gap)
	}
	places := map[string][]uint64{} // nonce -> where it stands
	for _, r := range log {
		places[r.Nonce] = append(places[r.Nonce], r.Seq)
	}
	for _, a := range slices.Concat(h.attempts...) {
		at := places[a.record.Nonce]
		delete(places, a.record.Nonce)
		switch {
		case a.err == nil:
			h.outcomes.Committed++
			if !slices.Equal(at, []uint64{a.record.Seq}) {
				complain("%s was told to stand at %d, and stands at %v", a.record.Nonce, a.record.Seq, at)
			}
		case errors.Is(a.err, errUnsettled):
			h.outcomes.Unsettled++
			h.outcomes.UnsettledButStanding += len(at)
			if len(at) > 1 || errors.Is(a.err, ErrOvertaken) {
				complain("%s is unsettled, and stands at %v: %v", a.record.Nonce, at, a.err)
			}
		default:
			if len(at) > 0 {
				complain("%s was told to have failed, and stands at %v: %v", a.record.Nonce, at, a.err)
			}
			if !errors.Is(a.err, ErrOvertaken) {
				h.outcomes.Failed++
				break
			}
			h.outcomes.Overtaken++
			if !slices.ContainsFunc(log, func(r *Record) bool { return r.Seq > a.base && overtakes(r, a.record) }) {
				complain("%s was told to be overtaken, by nobody: %v", a.record.Nonce, a.err)
			}
		}
		if a.record.Kind == KindFence || a.record.Kind == KindVoid {
			continue // they stop others, and are stopped by nobody
		}
		for _, r := range log {
			if len(at) == 1 && r.Seq > a.base && r.Seq < at[0] && overtakes(r, a.record) {
				complain("%s stands at %d although record %d has overtaken it since %d", a.record.Nonce, at[0], r.Seq, a.base)
			}
		}
	}
	for nonce, at := range places {
		complain("%s stands at %v, and nobody wrote it", nonce, at)
	}
	h.outcomes.Late, h.outcomes.OwnRefused = h.store.late, h.store.ownRefused
	return wrong
}

// overtakes says whether a record of one run takes the ground from under
// another: it speaks for some of the same users, or is of the same backfill.
func overtakes(r, own *Record) bool {
	switch {
	case r.RunID == own.RunID, r.Backfill != own.Backfill:
		return false
	case own.Backfill != "":
		return r.Kind == KindBackfill || r.Kind == KindFence && r.Fences == own.RunID
	}
	return slices.ContainsFunc(r.Buckets, func(b int) bool { return slices.Contains(own.Buckets, b) })
}
