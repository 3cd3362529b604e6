package sandbox

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
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
	s.later = 0
	s.asked.dusk()
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

// A user's id is a UUID that hides its index: the first 48 bits are the index
// under a permutation chosen by the seed, the rest a check. So an id leads
// back to its user without a table of a million of them.
const (
	mask48 = 1<<48 - 1
	odd1   = 0x9e3779b97f4b
	odd2   = 0xbf58476d1ce5
)

type userIDs struct {
	seed   dice
	form   string // Readings.UserIDs
	offset uint64
	inv1   uint64
	inv2   uint64
}

func newUserIDs(seed dice) userIDs {
	return userIDs{
		seed: seed, offset: uint64(seed.on("user id")) & mask48,
		inv1: inverse(odd1), inv2: inverse(odd2),
	}
}

// inverse is the multiplicative inverse of an odd number modulo 2^64, by
// Newton's iteration; it holds modulo 2^48 as well.
func inverse(a uint64) uint64 {
	x := a
	for range 6 {
		x *= 2 - a*x
	}
	return x
}

func (u userIDs) id(index int) string {
	x := (uint64(index)*odd1 + u.offset) & mask48 // indices are not negative
	x ^= x >> 24
	x = x * odd2 & mask48
	x ^= x >> 24
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], x<<16|u.check(index)>>48)
	binary.BigEndian.PutUint64(b[8:], u.check(index))
	return u.shape(x, uuidText(b))
}

func (u userIDs) check(index int) uint64 { return uint64(u.seed.on("check", index)) }

// index leads from an id to its user; false for an id that was never given.
func (u userIDs) index(id string) (int, bool) {
	x, known := u.hidden(id)
	if !known {
		raw, err := hex.DecodeString(strings.ReplaceAll(id[:min(len(id), 36)], "-", ""))
		if err != nil || len(raw) != 16 {
			return 0, false
		}
		x = binary.BigEndian.Uint64(raw) >> 16
	}
	x ^= x >> 24
	x = x * u.inv2 & mask48
	x ^= x >> 24
	i := int((x - u.offset) * u.inv1 & mask48)
	return i, u.id(i) == id
}
