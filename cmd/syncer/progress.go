package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/trouble"
)

// logEvery is the time between two log lines about the progress of a run that
// nobody watches.
const logEvery = 30 * time.Second

// barWidth is the length of the bar itself.
const barWidth = 20

// progress shows how far a run is: on a terminal by a line that is replaced,
// elsewhere by a log line now and then. It is called by one goroutine.
type progress struct {
	console *console
	log     *slog.Logger
	now     func() time.Time

	phase   string
	entered time.Time // when the phase began, and with how many users
	before  int64
	logged  time.Time

	done, rows int64 // when they grew last
	moved      time.Time
	reported   time.Time
	stalled    time.Duration // in this phase, while something was waited for
}

// idleAfter is how long nothing may come of a run before that is told in place of a
// guess how long it takes.
const idleAfter = 10 * time.Second

func newProgress(c *console, log *slog.Logger, now func() time.Time) *progress {
	return &progress{console: c, log: log, now: now, logged: now()}
}

func (p *progress) report(ctx context.Context, s report.Progress) {
	now := p.now()
	if s.Phase != p.phase {
		p.phase, p.entered, p.before = s.Phase, now, s.UsersDone
		p.moved, p.reported, p.stalled = now, now, 0
	}
	p.note(s, now)
	if !p.console.plain {
		p.console.show(p.line(s, now))
		return
	}
	if now.Sub(p.logged) < logEvery {
		return
	}
	p.logged = now
	attrs := []any{
		"phase", s.Phase, "users_done", s.UsersDone, "users_total", s.UsersTotal,
		"users_failed", s.Failed, "rows", s.Rows, "requests", s.Requests, "refused", s.Refused, "tried_again", s.Stats.Retries,
		"requests_per_second", fmt.Sprintf("%.1f", s.Rate),
	}
	if waits := waitsFor(s.Trouble, now); waits != "" {
		attrs = append(attrs, "waits_for", waits)
	} else if idle := now.Sub(p.moved); idle >= idleAfter {
		attrs = append(attrs, "nothing_new_for", idle.Round(time.Second).String())
	}
	p.log.InfoContext(ctx, "progress", attrs...)
}

// note takes in whether anything has come since the last report.
func (p *progress) note(s report.Progress, now time.Time) {
	if s.UsersDone != p.done || s.Rows != p.rows {
		p.done, p.rows, p.moved = s.UsersDone, s.Rows, now
	}
	if s.Trouble.Kind != "" {
		p.stalled += now.Sub(p.reported)
	}
	p.reported = now
}

// waitsFor says what a run waits for, and since when; "" where it does not.
func waitsFor(t trouble.State, now time.Time) string {
	if t.Kind == "" {
		return ""
	}
	text := t.Kind.Short()
	if t.Until.IsZero() {
		return fmt.Sprintf("%s, %s", text, now.Sub(t.Since).Round(time.Second))
	}
	return fmt.Sprintf("%s, %s still", text, max(0, t.Until.Sub(now).Round(time.Second)))
}

// line is what a terminal shows: as many parts as it has room for, what matters
// most first.
func (p *progress) line(s report.Progress, now time.Time) string {
	parts := append([]string{s.Phase}, p.course(s, now)...)
	if s.Failed > 0 {
		parts = append(parts, count(s.Failed)+" failed")
	}
	if s.Refused > 0 {
		parts = append(parts, count(s.Refused)+" refused")
	}
	if s.Stats.Retries > 0 {
		parts = append(parts, count(s.Stats.Retries)+" tried again")
	}
	parts = append(parts, fmt.Sprintf("%.1f req/s", s.Rate), count(s.Rows)+" rows")
	line := parts[0]
	for _, part := range parts[1:] {
		if utf8.RuneCountInString(line+part)+2 >= p.console.width() {
			break
		}
		line += "  " + part
	}
	return line
}

// course is how far a run is, and how long it takes. What is waited for takes the room
// of the bar, and the place of the time: none is guessed while nothing moves.
func (p *progress) course(s report.Progress, now time.Time) (parts []string) {
	waits := waitsFor(s.Trouble, now)
	if s.UsersTotal > 0 {
		share := min(1, float64(s.UsersDone)/float64(s.UsersTotal))
		users := count(s.UsersDone) + "/" + count(s.UsersTotal) + " users"
		if waits != "" {
			return []string{fmt.Sprintf("%.0f %%", 100*share), waits, users}
		}
		full := int(share * barWidth)
		parts = append(parts, fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*share), users)
	}
	if waits != "" {
		return append(parts, waits)
	}
	if idle := now.Sub(p.moved); idle >= idleAfter {
		return append(parts, "nothing new for "+idle.Round(time.Second).String())
	}
	if left, ok := p.left(s, now); ok {
		parts = append(parts, left.String()+" left")
	}
	return parts
}

// left guesses from the pace of this phase how long the rest takes, leaving out when
// nothing moved.
func (p *progress) left(s report.Progress, now time.Time) (time.Duration, bool) {
	done, spent := s.UsersDone-p.before, now.Sub(p.entered)-p.stalled
	if done <= 0 || spent < 2*time.Second || s.UsersDone >= s.UsersTotal {
		return 0, false
	}
	rest := float64(spent) * float64(s.UsersTotal-s.UsersDone) / float64(done)
	return time.Duration(rest).Round(time.Second), true
}
