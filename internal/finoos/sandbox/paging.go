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
}

// pages is how many there are; an empty list has one, an empty one.
func (p page) pages() int { return max(1, (p.total+p.size-1)/p.size) }

func (s *Sandbox) firstPage(f Faults) int {
	if f.ZeroPages || s.opts.FirstPage == PageZero {
		return 0
	}
	return s.opts.FirstPage
}

// pageAsked reads ?page=N. Without it the first page is meant. A page before
// the first is an error here: a client that asks for it counts wrongly.
func (s *Sandbox) pageAsked(c *call, f Faults) (int, bool) {
	first := s.firstPage(f)
	asked := c.r.URL.Query().Get("page")
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

// meta writes what is known of a page.
func (p page) meta(w *wire, name string) {
	w.key(name)
	w.open('{')
	w.number("page", int64(p.number))
	w.number("pageSize", int64(p.size))
	w.number("totalPages", int64(p.pages()))
	w.number("total", int64(p.total))
	w.close('}')
}

// listUsers answers GET /users.
func (s *Sandbox) listUsers(c *call) answer {
	f := s.Faults()
	n, valid := s.pageAsked(c, f)
	if !valid {
		return failure(http.StatusBadRequest, "invalid_request", "there is no such page")
	}
	s.mu.Lock()
	total := s.alive()
	if !s.mine(c.r) {
		total = 0
	}
	p := cut(n, s.opts.PageSize, total, f.Shift)
	if (p.past || total == 0) && f.End == EndRepeat && total > 0 {
		for n = 0; !cut(n+1, s.opts.PageSize, total, f.Shift).past; n++ {
		}
		p = cut(n, s.opts.PageSize, total, f.Shift)
	}
	p.number = n + s.firstPage(f)
	indices := make([]int, 0, p.to-p.from)
	for k := p.from; k < p.to; k++ {
		indices = append(indices, s.nth(k))
	}
	s.mu.Unlock()
	if len(indices) == 0 {
		if a, special := pastTheEnd(f.End); special {
			return a
		}
	}
	return s.writeUsers(f, p, indices)
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
	if !f.NoContext {
		p.meta(&w, "context")
	}
	w.key("users")
	w.b = append(w.b, '[')
	for _, i := range indices {
		s.writeUser(&w, i)
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
