// Package troubletest is for tests of what is told while something is waited for.
package troubletest

import (
	"bytes"
	"sync"
)

// Lines is where a log goes that is read while it is written: what is told comes
// from timers, too.
type Lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written since the last Reset.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Len is its length in bytes.
func (l *Lines) Len() int { return len(l.String()) }

// Reset forgets what was written.
func (l *Lines) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}
