//go:build crashpoints

// Package crashpoints lets a run die, or fall asleep, at a given operation on
// its store. It is there for the crash tests, under the build tag of its name:
// a command that is built without the tag does not contain it.
//
// Operations are counted from 1 in the order in which they begin. Reads count
// as well as writes, each range that is read of an object too, so that the
// number of operations of a run is the number of places where it can die with
// regard to its store.
package crashpoints

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Plan says where to die. The zero value only counts.
type Plan struct {
	at    int  // of which operation; 0 for none
	after bool // it has ended, instead of before it begins
	sleep bool // SIGSTOP instead of SIGKILL
}

// ParsePlan reads "before:17", "after:17" or "stop:17": to die before or after
// operation 17, or to stop before it until somebody sends SIGCONT.
func ParsePlan(text string) (Plan, error) {
	if text == "" {
		return Plan{}, nil
	}
	when, number, _ := strings.Cut(text, ":")
	at, err := strconv.Atoi(number)
	switch {
	case err != nil || at < 1:
		return Plan{}, fmt.Errorf("crash plan %q: write before:N, after:N or stop:N", text)
	case when == "before":
		return Plan{at: at}, nil
	case when == "after":
		return Plan{at: at, after: true}, nil
	case when == "stop":
		return Plan{at: at, sleep: true}, nil
	}
	return Plan{}, fmt.Errorf("crash plan %q: write before:N, after:N or stop:N", text)
}

// counter counts operations, writes down what they are, and strikes.
type counter struct {
	plan  Plan
	trace *os.File // nil for none

	mu sync.Mutex
	n  int
}

// begin counts an operation; the function that it returns ends it.
func (c *counter) begin(what, key string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	n := c.n
	if c.trace != nil {
		_, _ = fmt.Fprintln(c.trace, n, what, key) // the test that reads it misses what is not there
	}
	if n == c.plan.at && !c.plan.after {
		c.strike()
	}
	return func() {
		if n == c.plan.at && c.plan.after {
			c.strike()
		}
	}
}

// strike does not return to a run that dies, and to one that sleeps when it
// is woken.
func (c *counter) strike() {
	if !c.plan.sleep {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // until the signal has arrived
	}
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCONT)
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	<-woken
	signal.Stop(woken)
}
