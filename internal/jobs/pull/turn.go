package pull

import (
	"context"
	"io"

	"finoos-syncer/internal/sink/table"
)

// slabs are where the rows of a pull come from, of the streams that have many:
// they come and go together, so many are allocated at once, and their memory is
// used again for the next pull. There are as many as turns.
type slabs struct {
	keeps        bool        // else the memory is for one pull
	rows         []table.Row // empty, with room
	seen         map[uint64]uint64
	transactions slab[table.Transaction]
	tags         slab[table.Categorization]
	contracts    slab[table.Contract]
	balances     slab[table.AccountHistory]
}

const (
	slabRows = 64
	// slabsKept is how many stay for the next pull: the rows of a user with two
	// years of bookings.
	slabsKept = 24
	// keepers bounds how much memory waits for a pull where there are many
	// processors: one slabs takes some 1.5 MiB.
	keepers = 6
)

// Turns bounds what all pulls of a run hold at a time beside their answers.
// Answers are waited for by as many workers as there are, and held to the byte;
// rows take several times as much, and no more processors make them than there
// are.
type Turns struct {
	free  chan *slabs   // one for each pull whose rows may be held at a time
	alone chan struct{} // one slot, for the one pull at a time that is larger than memory allows
}

// NewTurns makes room for the rows of so many pulls at a time.
func NewTurns(n int) *Turns {
	t := &Turns{free: make(chan *slabs, n), alone: make(chan struct{}, 1)}
	for i := range n {
		t.free <- &slabs{keeps: i < keepers}
	}
	return t
}

// turn is what one pull has of them, and of files that its answer lies in.
//
//	be alone ──> take a turn ──> make rows ──> write them ──> give back all
//
// In this order, and all of it is given back before an answer is waited for
// again: who waits to be alone while it has a turn would wait for one who is
// alone and waits for a turn.
type turn struct {
	of      *Turns
	slabs   *slabs // that rows come from, while the pull has a turn
	isAlone bool
	closers []io.Closer
}

// beAlone waits until no other pull is at work that is larger than memory
// allows.
func (t *turn) beAlone(ctx context.Context) error {
	if t.isAlone {
		return nil
	}
	select {
	case t.of.alone <- struct{}{}:
		t.isAlone = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take waits until this pull may make rows of its answer.
func (t *turn) take(ctx context.Context) error {
	if t.slabs != nil {
		return nil
	}
	select {
	case t.slabs = <-t.of.free:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// giveBack ends the turn; rows are those that were made in it.
func (t *turn) giveBack(rows []table.Row) {
	for _, c := range t.closers {
		_ = c.Close() // frees memory; nothing is lost by an error
	}
	t.closers = nil
	t.interrupt(rows)
}

// interrupt gives back all but the answers: another one is waited for.
func (t *turn) interrupt(rows []table.Row) {
	if t.isAlone {
		<-t.of.alone
		t.isAlone = false
	}
	if t.slabs != nil {
		t.slabs.clear(rows)
		t.of.free <- t.slabs
		t.slabs = nil
	}
}

// nothingSeen is an empty set of keys that a pull has met.
func (s *slabs) nothingSeen() map[uint64]uint64 {
	if s.seen == nil {
		s.seen = make(map[uint64]uint64, slabRows)
	}
	clear(s.seen)
	return s.seen
}

// clear makes room again. rows are those of the pull, whose memory is kept as
// well unless they were very many.
func (s *slabs) clear(rows []table.Row) {
	switch {
	case !s.keeps:
		*s = slabs{}
		return
	case cap(rows) <= 2*slabRows*slabsKept:
		clear(rows[:min(len(rows)+1, cap(rows))]) // a row that tells of the pull may stand behind
		s.rows = rows[:0]
	default:
		clear(s.rows[:cap(s.rows)]) // where they began
	}
	if len(s.seen) > 2*slabRows*slabsKept {
		s.seen = nil
	}
	s.transactions.clear()
	s.tags.clear()
	s.contracts.clear()
	s.balances.clear()
}

type slab[T any] struct {
	free []T
	kept [][]T // used again
	used int   // of these
}

// next returns a row that is to be overwritten.
func (s *slab[T]) next() *T {
	if len(s.free) == 0 {
		s.free = s.more()
	}
	row := &s.free[0]
	s.free = s.free[1:]
	return row
}

func (s *slab[T]) more() []T {
	if s.used == len(s.kept) {
		rows := make([]T, slabRows)
		if s.used == slabsKept {
			return rows
		}
		s.kept = append(s.kept, rows)
	}
	s.used++
	return s.kept[s.used-1]
}

// clear takes all rows back. What they say shall not be kept alive by them.
func (s *slab[T]) clear() {
	for _, rows := range s.kept[:s.used] {
		clear(rows)
	}
	s.free, s.used = nil, 0
}
