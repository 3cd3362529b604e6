package main

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"finoos-syncer/internal/human"
)

// console is standard error. On a terminal it keeps one line at the bottom, the
// progress, and lets what is logged scroll by above it.
type console struct {
	plain bool // not a terminal: no line at the bottom
	width func() int

	mu   sync.Mutex // guards what follows and the order of writes
	w    io.Writer
	line string
}

// eraseLine goes to the beginning of the line and clears it.
const eraseLine = "\r\x1b[K"

func newConsole(w io.Writer, getenv func(string) (string, bool)) *console {
	c := &console{w: w, plain: true, width: func() int { return 80 }}
	kind, _ := getenv("TERM")
	f, ok := w.(*os.File)
	if !ok || kind == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return c
	}
	c.plain = false
	c.width = func() int {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
		return 80
	}
	return c
}

// Write prints what is logged, whole lines at a time.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, after := "", ""
	if c.line != "" {
		before, after = eraseLine, c.line
	}
	if _, err := io.WriteString(c.w, before+string(human.Escape(p))+after); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show replaces the line at the bottom. It does nothing where there is none.
func (c *console) show(line string) {
	if c.plain {
		return
	}
	line = human.Line(line, len(line)) // its own escapes are around it
	if runes := []rune(line); len(runes) >= c.width() {
		line = string(runes[:c.width()-1]) // a full line would wrap, and could not be erased
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.w, eraseLine+line) // a terminal that is gone is no reason to stop
	c.line = line
}

// clear takes the line away.
func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line != "" {
		_, _ = io.WriteString(c.w, eraseLine)
		c.line = ""
	}
}
