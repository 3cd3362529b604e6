package finoos

import (
	"sync"
	"time"
)

// refusals tells users who have a limit of their own, such as that of their bank,
// from the limit of all: a user who is refused again although others were answered
// meanwhile is refused alone. Its zero value is ready.
type refusals struct {
	mu    sync.Mutex
	total int64 // answers that were no refusals
	last  int64 // total at the last refusal that may be about all
	users map[string]*refused
	alone bool // somebody was refused alone, or everybody has paused for nothing
	told  time.Time
}

// refused is the last refusal of a user.
type refused struct {
	at    int64 // total then
	own   int64 // answers to this user since
	alone bool  // it was known to be about this user, and so is every later one
}

const (
	// othersAnswered is how many answers to others show that a refusal is not about
	// them.
	othersAnswered = 5
	// longWait is what only some ask for, once it is known that they exist: where it
	// is the limit of all, the next request says so.
	longWait = 10 * time.Second
	// usersKept bounds how many users are remembered.
	usersKept = 4096
	// tellPause is how long a pause of everybody may be before an operator hears of
	// it.
	tellPause = 5 * time.Second
)

// answered takes in an answer that is no refusal; userID may be empty.
func (r *refusals) answered(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if u := r.users[userID]; u != nil {
		u.own++
	}
}

// needless takes in that a pause was lifted since a request was answered in it.
func (r *refusals) needless() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alone = true
}

// personal reports whether a refusal is about this user alone. asked is how long
// the server asks to wait.
func (r *refusals) personal(userID string, asked time.Duration) bool {
	if userID == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u, before := r.users[userID]
	again := before && (u.alone || r.total-u.at-u.own >= othersAnswered)
	first := r.alone && asked >= longWait && r.total-r.last >= othersAnswered
	if r.users == nil || len(r.users) >= usersKept {
		r.users = map[string]*refused{}
	}
	r.users[userID] = &refused{at: r.total, alone: again}
	if !again {
		r.last = r.total // a first one is believed once, the next right after it is not
	}
	if again && asked >= longWait {
		r.alone = true
	}
	return again || first
}

// untold reports whether the operator has not heard of this pause yet.
func (r *refusals) untold(pause time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.told) {
		return false
	}
	r.told = now.Add(pause)
	return true
}
