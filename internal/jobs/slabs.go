package jobs

import (
	"finoos-syncer/internal/sink/table"
)

// slabs are where the rows of a pull come from, of the streams that have many:
// they come and go together, so many are allocated at once, and their memory is
// used again for the next pull. There are as many as turns.
type slabs struct {
	keeps        bool        // else the memory is for one pull
	rows         []table.Row // empty, with room
	seen         map[uint64]struct{}
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

// turnsOf makes room for the rows of so many pulls at a time.
func turnsOf(n int) chan *slabs {
	turns := make(chan *slabs, n)
	for i := range n {
		turns <- &slabs{keeps: i < keepers}
	}
	return turns
}

// nothingSeen is an empty set of keys that a pull has met.
func (s *slabs) nothingSeen() map[uint64]struct{} {
	if s.seen == nil {
		s.seen = make(map[uint64]struct{}, slabRows)
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
