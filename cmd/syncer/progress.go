package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"finoos-syncer/internal/jobs/report"
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
}

func newProgress(c *console, log *slog.Logger, now func() time.Time) *progress {
	return &progress{console: c, log: log, now: now, logged: now()}
}

func (p *progress) report(ctx context.Context, s report.Progress) {
	now := p.now()
	if s.Phase != p.phase {
		p.phase, p.entered, p.before = s.Phase, now, s.UsersDone
	}
	if !p.console.plain {
		p.console.show(p.line(s, now))
		return
	}
	if now.Sub(p.logged) < logEvery {
		return
	}
	p.logged = now
	p.log.InfoContext(ctx, "progress", "phase", s.Phase, "users_done", s.UsersDone, "users_total", s.UsersTotal,
		"users_failed", s.Failed, "rows", s.Rows, "requests", s.Requests, "refused", s.Refused,
		"requests_per_second", fmt.Sprintf("%.1f", s.Rate))
}

// line is what a terminal shows: as many parts as it has room for, what matters
// most first.
func (p *progress) line(s report.Progress, now time.Time) string {
	parts := []string{s.Phase}
	if s.UsersTotal > 0 {
		share := min(1, float64(s.UsersDone)/float64(s.UsersTotal))
		full := int(share * barWidth)
		parts = append(parts,
			fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*share),
			count(s.UsersDone)+"/"+count(s.UsersTotal)+" users")
	}
	if left, ok := p.left(s, now); ok {
		parts = append(parts, left.String()+" left")
	}
	if s.Failed > 0 {
		parts = append(parts, count(s.Failed)+" failed")
	}
	if s.Refused > 0 {
		parts = append(parts, count(s.Refused)+" refused")
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

// left guesses from the pace of this phase how long the rest takes.
func (p *progress) left(s report.Progress, now time.Time) (time.Duration, bool) {
	done, spent := s.UsersDone-p.before, now.Sub(p.entered)
	if done <= 0 || spent < 2*time.Second || s.UsersDone >= s.UsersTotal {
		return 0, false
	}
	rest := float64(spent) * float64(s.UsersTotal-s.UsersDone) / float64(done)
	return time.Duration(rest).Round(time.Second), true
}
