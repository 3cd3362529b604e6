package pace

import (
	"sync"
	"time"
)

// Refusals tells who has a limit of its own, such as a user by its bank, from the
// limit of all: what is refused again although others were answered meanwhile is
// refused alone. Its zero value is ready; it is safe for concurrent use.
type Refusals struct {
	mu    sync.Mutex
	total int64 // answers that were no refusals
	last  int64 // total at the last refusal that may be about all
	paths map[string]*refusedPath
	alone bool // something was refused alone, or everybody has paused for nothing
}

// refusedPath is a path that was refused, and not answered since.
type refusedPath struct {
	at    int64 // total at the last refusal
	times int   // refusals in a row, each but the first with answers to others before it
	alone bool  // it is known to be about this path, and so is every later one
}

const (
	// othersAnswered is how many answers to others show that a refusal is not about
	// them.
	othersAnswered = 5
	// longWait is what only some ask for, once it is known that they exist: where it
	// is the limit of all, the next request says so. Below it a pause of everybody
	// costs little and is likelier meant: then it takes one refusal more.
	longWait = 10 * time.Second
	// pathsKept bounds how many paths are remembered.
	pathsKept = 4096
)

// Answered takes in an answer to a path that is no refusal. lifted says that it has
// ended a pause of everybody, as [Limiter.Answered] tells.
func (r *Refusals) Answered(path string, lifted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	r.alone = r.alone || lifted
	delete(r.paths, path)
}

// Personal reports whether the refusal of a path is about this path alone. asked is
// how long the server asks to wait.
func (r *Refusals) Personal(path string, asked time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.paths[path]
	if p == nil {
		if r.paths == nil || len(r.paths) >= pathsKept {
			r.paths = map[string]*refusedPath{}
		}
		p = &refusedPath{at: r.total, times: 1}
		r.paths[path] = p
		first := r.alone && asked >= longWait && r.total-r.last >= othersAnswered
		r.last = r.total // a first one is believed once, the next right after it is not
		return first
	}
	if r.total-p.at >= othersAnswered {
		p.times++
	}
	p.at = r.total
	if p.times > 2 || p.times == 2 && asked >= longWait {
		p.alone = true
		r.alone = r.alone || asked >= longWait
	}
	if !p.alone {
		r.last = r.total
	}
	return p.alone
}
