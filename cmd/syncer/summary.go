package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/table"
)

// shownFailures is how many failed pulls a summary lists; the table pulls and the
// report have them all.
const shownFailures = 5

// issueText says how many there are of a kind, and names one.
func issueText(kind string, issue report.Issue) string {
	example := "stream " + string(issue.Stream)
	if issue.UserID != "" {
		example += " of user " + issue.UserID
	}
	return fmt.Sprintf("%s %s (such as %s)", count(issue.Count), report.IssueText(kind), example)
}

// summary is a report as text.
type summary struct {
	report *report.Report
	took   time.Duration
}

func (s summary) text(w io.Writer) error {
	r := s.report
	var p printout
	shard := ""
	if r.Shards > 1 {
		shard = fmt.Sprintf(", shard %d/%d", r.Shard, r.Shards)
	}
	p.printf("%s%s: %s in %s (run %s)\n", r.Job, shard, r.Outcome, s.took.Round(time.Millisecond), r.RunID)
	p.printf("  users     %s\n", usersText(r.Users))
	if r.Unreached > 0 {
		p.printf("  deadline  %s not reached: they come first in the next run\n", plural(r.Unreached, "user"))
	}
	if r.Unsettled > 0 {
		p.printf("  settling  %s pulled without the new analysis: it comes with the next run\n", plural(r.Unsettled, "user"))
	}
	p.printf("  requests  %s, %s refused, %s tried again, %s read\n", count(r.Requests), count(r.Refused), count(r.Retries), size(r.BytesRead))
	if sessions := sessionsText(r.SyncSessions); sessions != "" {
		p.printf("  sessions  %s\n", sessions)
	}
	if r.NoAddress > 0 {
		p.printf("  sessions  none for %s without an address in sync.user_ips\n", plural(r.NoAddress, "user"))
	}
	if r.Remasked > 0 {
		p.printf("  mask      is not what it was: %s of users read in full\n", plural(r.Remasked, "stream"))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Issues)) {
		p.printf("  odd       %s: %s\n", kind, issueText(kind, r.Issues[kind]))
	}
	switch {
	case r.Commits == 0:
		p.printf("  commits   none: nothing to write\n")
	case r.FirstSeq == r.LastSeq:
		p.printf("  commit    %d\n", r.LastSeq)
	default:
		p.printf("  commits   %d, numbers %d to %d\n", r.Commits, r.FirstSeq, r.LastSeq)
	}
	if len(r.Tables) > 0 {
		p.printf("\n")
		p.indent(writtenTable(r).lines())
	}
	s.failures(&p)
	return p.writeTo(w)
}

func (s summary) failures(p *printout) {
	failed := s.report.Failures
	if len(failed) == 0 {
		return
	}
	p.printf("\n")
	t := newTable("failed user", "stream", "class")
	for _, f := range failed[:min(len(failed), shownFailures)] {
		t.add(f.UserID, f.Stream, f.Class)
	}
	p.indent(t.lines())
	if more := len(failed) - shownFailures; more > 0 {
		p.printf("  and %d more: see the table pulls, or --output json\n", more)
	}
}

// usersText counts users by what became of them, leaving out what did not occur.
func usersText(u report.UserCounts) string {
	parts := []string{count(u.Listed) + " listed"}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{u.Pulled, "pulled"},
		{u.Unchanged, "unchanged"},
		{u.NoAnalysis, "without an analysis"},
		{u.Failed, "failed"},
		{u.Quarantined, "in quarantine"},
		{u.NotBooked, "without a service of the job"},
		{u.PassedOver, "passed over where a service is down"},
		{u.Gone, "gone"},
		{u.Missing, "missing"},
	} {
		if c.n > 0 {
			parts = append(parts, count(c.n)+" "+c.what)
		}
	}
	return strings.Join(parts, ", ")
}

func sessionsText(sessions map[string]int64) string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(sessions)) {
		parts = append(parts, count(sessions[outcome])+" "+outcome)
	}
	return strings.Join(parts, ", ")
}

// writtenTable lists what was committed, in the order of the design.
func writtenTable(r *report.Report) *textTable {
	t := newTable("written to", "rows", "deletes", "files", "size")
	var rows, deletes, files, bytes int64
	for _, tab := range table.Tables() {
		c, ok := r.Tables[tab.Name]
		if !ok {
			continue
		}
		var gone int64
		if s := r.Streams[config.Stream(tab.Name)]; s != nil {
			gone = s.Deletes
		}
		t.add(tab.Name, c.Rows, gone, c.Files, size(c.Bytes))
		rows, deletes, files, bytes = rows+c.Rows, deletes+gone, files+c.Files, bytes+c.Bytes
	}
	t.add("all", rows, deletes, files, size(bytes))
	return t
}

// askedTable lists requests by operation, in the order of the client's table.
func askedTable(byOperation map[string]int64) *textTable {
	t := newTable("asked for", "requests")
	var all int64
	for _, op := range finoos.Operations() {
		if n := byOperation[op.Name]; n > 0 {
			t.add(op.Name, n)
			all += n
		}
	}
	t.add("all", all)
	return t
}
