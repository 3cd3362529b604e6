package sandbox

import (
	"fmt"
	"sort"
)

// UserID is the id of the user with the given index, counted from 0; users
// who join later follow those of the start.
func (s *Sandbox) UserID(index int) string { return s.ids.id(index) }

// Users is how many users there are now.
func (s *Sandbox) Users() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive()
}

// Delete makes a user vanish: 404 from now on.
func (s *Sandbox) Delete(userID string) error {
	i, ok := s.ids.index(userID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || i >= s.total() {
		return fmt.Errorf("delete user %q: there is no such user", userID)
	}
	s.leave(i)
	return nil
}

// Night moves the simulation on by one day: some users are analysed anew,
// a few come and go, and for the others nothing changes at all.
func (s *Sandbox) Night() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nights++
	start, d := s.joined[0], s.seed.on("population", s.nights)
	total := s.total()
	s.joined = append(s.joined, total+s.come(d, start)+s.turnOver(total))
	odds := s.opts.Nightly.Gone
	if odds <= 0 || s.fixed {
		return
	}
	for i := range total {
		if s.seed.on("gone", i, s.nights).chance(odds) {
			s.leave(i)
		}
	}
	if start >= crowd && s.nights%2 == 0 {
		s.leave(d.on("leaves").below(total))
	}
}

// crowd is from how many users on every second night is sure to see somebody
// come and somebody go.
const crowd = 20

// come is how many users join in a night.
func (s *Sandbox) come(d dice, start int) int {
	odds := s.opts.Nightly.Joined
	if odds <= 0 || s.fixed {
		return 0
	}
	n := int(float64(start) * odds)
	if start >= crowd && s.nights%2 == 1 {
		n++
	}
	if d.on("one more").chance(float64(start)*odds - float64(int(float64(start)*odds))) {
		n++
	}
	return n
}

func (s *Sandbox) leave(i int) {
	if _, already := s.left[i]; already {
		return
	}
	s.left[i] = s.nights
	k := sort.SearchInts(s.gone, i)
	s.gone = append(s.gone, 0)
	copy(s.gone[k+1:], s.gone[k:])
	s.gone[k] = i
}

// total is how many users there have ever been.
func (s *Sandbox) total() int { return s.joined[len(s.joined)-1] }

func (s *Sandbox) alive() int { return s.total() - len(s.gone) }

// bornOn is the night a user joined in: 0 for those of the start.
func (s *Sandbox) bornOn(i int) int {
	return sort.Search(s.nights, func(n int) bool { return i < s.joined[n] })
}

// nth is the index of the n-th user who exists. It needs no list of all:
// counting those who are gone is enough.
func (s *Sandbox) nth(n int) int {
	return n + sort.Search(len(s.gone), func(j int) bool { return s.gone[j]-j > n })
}

// exists tells whether an id is that of a user who is there now.
func (s *Sandbox) exists(id string) (int, bool) {
	i, ok := s.ids.index(id)
	if !ok || i >= s.total() {
		return 0, false
	}
	_, gone := s.left[i]
	return i, !gone
}
