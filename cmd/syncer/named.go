package main

import (
	"fmt"
	"strings"
	"time"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/report"
)

// shownUsers is how many users a list names unless all are asked for.
const shownUsers = 5

// below is a line of a list: one that is too long goes on further to the right.
func (p *printout) below(indent int, text string) {
	for i, line := range human.Wrap(human.Line(text, longestText), lineWidth-indent-2) {
		p.printf("%s%s\n", strings.Repeat(" ", indent+2*min(i, 1)), line)
	}
}

const (
	userIndent   = labelWidth + 2
	streamIndent = userIndent + 2
)

// failing names users that fail. where says where the others are.
func (p *printout) failing(f report.Failing, where string) {
	for _, u := range f.Users {
		p.below(userIndent, u.UserID)
		for _, s := range u.Streams {
			p.below(streamIndent, failingText(s))
		}
	}
	if f.More > 0 && len(f.Users) > 0 {
		p.below(userIndent, fmt.Sprintf("and %s more: %s", count(f.More), where))
	}
}

// failingText is what a stream of a user fails with, for how long, and when it is
// tried again.
func failingText(s report.FailingStream) string {
	text := fmt.Sprintf("%s: %s", s.Stream, s.Class)
	if s.Nights > 0 {
		text += ", " + human.Plural(int64(s.Nights), "night")
	}
	switch {
	case s.Quarantined:
		text += ", not before " + day(s.NextTry)
	case !s.NextTry.IsZero():
		text += ", next try " + day(s.NextTry)
	default:
		text += ", tried in the next run"
	}
	return text
}

// needed names users with logins that only they can bring to work again.
func (p *printout) needed(n report.Needed, where string) {
	for _, u := range n.Users {
		p.below(userIndent, u.UserID)
		text := counted(u.Logins) + ", noted " + u.NotedAt.UTC().Format(dayOnly)
		if !u.NextTry.IsZero() {
			text += ", asked again from " + u.NextTry.UTC().Format(dayOnly)
		}
		p.below(streamIndent, text)
	}
	if n.More > 0 && len(n.Users) > 0 {
		p.below(userIndent, fmt.Sprintf("and %s more: %s", count(n.More), where))
	}
}

// neededText counts them.
func neededText(n report.Needed) string {
	return fmt.Sprintf("%s: only they can bring a bank login to work again (%s)", plural(n.Count, "user"), counted(n.Logins))
}

const dayOnly = "2 January"

// day is a time near now.
func day(t time.Time) string { return t.UTC().Format("2 Jan 15:04 MST") }

// unreachedText says how many users an early end has left out, and what becomes of
// them; empty where it is nobody.
func unreachedText(r *report.Report) string {
	next := "the next run begins with them"
	switch {
	case r.Backfill != nil:
		next = "the same command goes on with them"
	case r.OnlyFailed || r.Named > 0:
		next = "the same command asks for them again"
	}
	if r.AllUnreached {
		return "nobody: it ended before it was known who is there"
	}
	left := r.Left()
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s: %s", plural(left, "user"), count(r.Users.Listed), next)
}

// notKeptText says what was pulled and is in no commit.
func notKeptText(lost *report.NotKept) string {
	what := "pulled, and not committed; the next run pulls them again"
	if lost.Unsure {
		what = "pulled, and nobody knows whether they are committed; the next run finds out, and pulls them again if not"
	}
	return lost.What() + ": " + what
}

// downText says how a service was when the run ended.
func downText(name string, t report.Trouble) string {
	text := fmt.Sprintf("%s since %s, %s passed over", name, day(t.DownSince), plural(t.PassedOver, "user"))
	if t.Error != "" {
		text += ": " + t.Error
	}
	return text
}
