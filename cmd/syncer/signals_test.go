package main

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/jobs/report"
)

// heard are last words, and what they have said since it was asked for before.
func heard(t *testing.T) (l *lastWords, said func() string) {
	t.Helper()
	var mu sync.Mutex
	var text string
	l = &lastWords{}
	l.by(func(words string, attrs ...slog.Attr) {
		mu.Lock()
		defer mu.Unlock()
		text += fmt.Sprintln(words, attrs)
	})
	return l, func() string {
		mu.Lock()
		defer mu.Unlock()
		last := text
		text = ""
		return last
	}
}

func TestTheFirstSignalIsAnsweredAtOnceWhereThereIsSomethingToCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, said := heard(t)
		l.note("nightly", report.Progress{})
		l.first()
		if got := said(); got != "stopping: committing what is complete; again to end now []\n" {
			t.Errorf("%q", got)
		}
		l.done("nightly")
		l.first() // a command that only reads ends within a second
		if got := said(); got != "" {
			t.Errorf("%q", got)
		}
		time.Sleep(2 * time.Second)
		if got := said(); got != "stopping; again to end now []\n" {
			t.Errorf("%q", got)
		}
	})
	var before lastWords
	before.first()
	before.second()
}

func TestTheSecondSignalSaysWhatItLeaves(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 20, 31, 7, 0, time.UTC)
	for name, tc := range map[string]struct {
		p          atWork
		has, lacks []string
	}{
		"nothing yet":     {atWork{}, []string{"nothing was committed", "no lease is left"}, []string{"20:31"}},
		"recovering":      {atWork{Progress: report.Progress{Phase: "lease and recover"}}, []string{"nothing was committed", "a lease may be left", "at 20:41:07 at the latest"}, []string{"no lease"}},
		"lease":           {atWork{Progress: report.Progress{Leased: true}}, []string{"nothing was committed", "the lease is left", "at 20:41:07 at the latest", "the next run takes it up"}, nil},
		"some committed":  {atWork{report.Progress{Leased: true}, at}, []string{"nothing is committed since 20:31:07", "the lease is left"}, []string{"nothing was"}},
		"within a commit": {atWork{report.Progress{Leased: true, Phase: "commit"}, at}, []string{"unless the commit that was under way was made"}, nil},
	} {
		text, _ := left(tc.p, at.Add(9*time.Minute))
		for _, part := range tc.has {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q lacks %q", name, text, part)
			}
		}
		for _, part := range tc.lacks {
			if strings.Contains(text, part) {
				t.Errorf("%s: %q has %q", name, text, part)
			}
		}
	}
	l, said := heard(t)
	l.note("b", report.Progress{})
	l.note("a", report.Progress{Leased: true})
	l.second()
	text := said()
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 2 || !strings.Contains(lines[0], "job=a lease_until=") || !strings.Contains(lines[1], "job=b") {
		t.Errorf("%s", text)
	}
}
