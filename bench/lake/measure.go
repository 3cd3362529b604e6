package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// Usage is what a process has used, from its start.
type Usage struct {
	Resident int64 // bytes, at most
	Heap     int64 // bytes of objects, dead ones included, at most (looked at every 20 ms)
	Read     int64 // bytes of files, caches and scratch files included
	Written  int64
	CPU      time.Duration
	Steps    map[string]time.Duration // how long each step of a run took
	Took     time.Duration
}

// Watch measures the process that calls it, until stop.
func Watch() (stop func() Usage) {
	began, done := time.Now(), make(chan struct{})
	var heap int64
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			heap = max(heap, int64(sample[0].Value.Uint64())) // bytes
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() Usage {
		close(done)
		wait.Wait()
		u := Usage{Heap: heap, Took: time.Since(began), Resident: 1024 * number("/proc/self/status", "VmHWM:")}
		u.Read, u.Written = number("/proc/self/io", "rchar:"), number("/proc/self/io", "wchar:")
		u.CPU = cpu()
		return u
	}
}

// number reads a number that the kernel shows of this process; 0 where there is
// no such kernel.
func number(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte(name))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Steps notes from a run's log how long its steps took.
type Steps struct {
	slog.Handler
	mu   sync.Mutex
	name string
	from time.Time
	took map[string]time.Duration
}

// NewSteps makes a handler for a run's logger. It drops what it is told.
func NewSteps() *Steps { return &Steps{Handler: slog.DiscardHandler, took: map[string]time.Duration{}} }

// Enabled says that every record is looked at.
func (s *Steps) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs keeps the handler as it is: only messages count.
func (s *Steps) WithAttrs([]slog.Attr) slog.Handler { return s }

// Handle notes the beginning of a step.
func (s *Steps) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "step begins" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "step" {
			s.begin(a.Value.String())
		}
		return true
	})
	return nil
}

func (s *Steps) begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.name != "" {
		s.took[s.name] += now.Sub(s.from)
	}
	s.name, s.from = name, now
}

// Took ends the last step and returns all of them.
func (s *Steps) Took() map[string]time.Duration {
	s.begin("")
	return s.took
}

// marker begins the line in which a child says what it found.
const marker = "measured: "

// Child runs a test of the calling test binary in a process of its own, so
// that what it uses is its own, with a flag that tells it what to do. What the
// child tells with [Tell] is decoded into result.
func Child(ctx context.Context, test, flag string, result any) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "-test.run", "^"+test+"$", "-test.timeout", "30m", flag)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("measure in a process of its own: %w\n%s%s", err, out, stderr.Bytes())
	}
	for line := range bytes.Lines(out) {
		if told, ok := bytes.CutPrefix(line, []byte(marker)); ok {
			return json.Unmarshal(told, result)
		}
	}
	return errors.New("measure in a process of its own: it told nothing")
}

// Tell hands a child's result to its parent.
func Tell(result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "\n%s%s\n", marker, text)
	return err
}

// Printf prints a line of a table where a measurement's reader sees it.
func Printf(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) // who reads a table sees what is missing
}
