package sandbox

import (
	"net/http"
	"strconv"
)

// page is a stretch of a list.
type page struct {
	number, size, total int // number as the client counts
	from, to            int // positions in the list
	past                bool
	holes               int // empty pages in the middle
}

// pages is how many there are; an empty list has one, an empty one.
func (p page) pages() int { return max(1, (p.total+p.size-1)/p.size) + p.holes }

func (s *Sandbox) firstPage(f Faults) int {
	if f.ZeroPages || s.opts.FirstPage == PageZero && s.opts.Readings.FirstPage == "" {
		return 0
	}
	return max(1, s.opts.FirstPage)
}

// pageAsked reads ?page=N. Without it the first page is meant. A page before
// the first is an error here: a client that asks for it counts wrongly.
func (s *Sandbox) pageAsked(c *call, f Faults) (int, bool) {
	first := s.firstPage(f)
	asked := c.r.URL.Query().Get("page")
	if c.op.name == "users" && s.opts.Readings.Token != "" {
		return s.tokenAsked(asked)
	}
	if asked == "" {
		return 0, true
	}
	n, err := strconv.Atoi(asked)
	return n - first, err == nil && n >= first
}

// cut finds a page in a list, which may shift: one page further, one user
// more or fewer stands in front of it, and is counted.
func cut(n, size, total int, shift Shift) page {
	p := page{size: size, total: total}
	step := size
	switch {
	case size > 1 && shift == ShiftInsert:
		step--
		p.total += n
	case size > 1 && shift == ShiftRemove:
		step++
		p.total = max(0, p.total-n)
	}
	p.from = n * step
	p.past = n > 0 && p.from >= total
	p.from = min(p.from, total)
	p.to = min(p.from+size, total)
	return p
}

// listUsers answers GET /users.
func (s *Sandbox) listUsers(c *call) answer {
	f := s.listing()
	n, valid := s.pageAsked(c, f)
	if !valid {
		return failure(http.StatusBadRequest, "invalid_request", "there is no such page")
	}
	s.mu.Lock()
	total := s.listed(s.alive())
	if !s.mine(c.r) {
		total = 0
	}
	size := s.userPageSize()
	if s.opts.Readings.Paging == "ignored" {
		n = 0
	}
	p := s.cutAround("users", n, size, total, f)
	if (p.past || total == 0) && f.End == EndRepeat && total > 0 {
		for n = 0; !s.cutAround("users", n+1, size, total, f).past; n++ {
		}
		p = s.cutAround("users", n, size, total, f)
	}
	p.number = n + s.firstPage(f)
	indices := make([]int, 0, p.to-p.from)
	for k := p.from; k < p.to; k++ {
		indices = append(indices, k)
	}
	s.places(f, p, indices)
	for i, k := range indices {
		indices[i] = s.nth(k)
	}
	s.mu.Unlock()
	if len(indices) == 0 && (p.past || total == 0) {
		if a, special := specialEnd(f.End); special {
			return a
		}
	}
	return s.writeUsers(f, p, indices)
}

// cutAround is cut, with an empty page in the middle where a reading wants it.
func (s *Sandbox) cutAround(list string, n, size, total int, f Faults) page {
	p := cut(n, size, total, f.Shift)
	hole := s.hole(list, f, p)
	switch {
	case hole < 0 || n < hole:
	case n == hole:
		p.to, p.past = p.from, false
	default:
		p = cut(n-1, size, total, f.Shift)
	}
	p.holes = min(1, hole+1)
	return p
}

func pastTheEnd(end End) (answer, bool) {
	switch end {
	case End204:
		return answer{status: http.StatusNoContent}, true
	case End404:
		return failure(http.StatusNotFound, "not_found", "there is no such page"), true
	default:
		return answer{}, false
	}
}

func (s *Sandbox) writeUsers(f Faults, p page, indices []int) answer {
	if f.Shift == ShiftShuffle {
		s.mu.Lock()
		s.rolls++
		d := s.seed.on("shuffle", s.rolls)
		s.mu.Unlock()
		for i := range indices {
			j := i + d.on("swap", i).below(len(indices)-i)
			indices[i], indices[j] = indices[j], indices[i]
		}
	}
	var w wire
	w.open('{')
	s.meta(&w, f, p, "context")
	w.key("users")
	w.b = append(w.b, '[')
	for n, i := range indices {
		s.writeUser(&w, i)
		if n == 0 {
			s.opts.Readings.writeOddity(&w)
		}
	}
	w.close(']')
	w.close('}')
	return ok(w.b)
}

func (s *Sandbox) writeUser(w *wire, index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, n := s.world.user(index, s.start+day(s.bornOn(index))), 0
	if u.expires {
		n = len(s.lived(index).analyses)
	}
	u.write(w, n)
}

// getUser answers GET /users/{id}.
func (s *Sandbox) getUser(c *call) answer {
	var w wire
	w.open('{')
	w.key("context")
	w.open('{')
	w.close('}')
	w.key("user")
	s.writeUser(&w, c.index)
	w.close('}')
	return ok(w.b)
}
