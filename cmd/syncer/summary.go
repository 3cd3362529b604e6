package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/table"
)

// issue says how many there are of a kind, and names one.
func (p *printout) issue(label, kind string, issue report.Issue) {
	p.item(label, "%s: %s %s", kind, count(issue.Count), report.IssueText(kind))
	example := "stream " + string(issue.Stream)
	if issue.UserID != "" {
		example += " of user " + issue.UserID
	}
	p.below(userIndent, "(such as "+example+")")
}

// summary is a report as text.
type summary struct {
	report *report.Report
	took   time.Duration
	users  bool          // all are named that the report names
	past   bool          // what it ended with was not said yet
	newer  []sink.Worker // runs that left no report
}

func (s summary) text(w io.Writer) error {
	r := s.report
	var p printout
	for _, w := range s.newer {
		p.below(0, fmt.Sprintf("A newer run left no report: %s, %s, of %s. It was killed, or could not write one: syncer status %s", w.RunID, w.Holder, day(w.Since), r.Job))
	}
	shard := ""
	if r.Shards > 1 {
		shard = fmt.Sprintf(", shard %d/%d", r.Shard, r.Shards)
	}
	p.below(0, fmt.Sprintf("%s%s: %s in %s (run %s)", r.Job, shard, r.Outcome, s.took.Round(time.Millisecond), r.RunID))
	if s.past && r.Error != "" {
		p.item("ended", "with: %s", joined(r.Error))
	}
	s.aboutUsers(&p)
	p.item("requests", "%s, %s refused, %s tried again, %s read", count(r.Requests), count(r.Refused), count(r.Retries), size(r.BytesRead))
	if text := paceText(r); text != "" {
		p.item("limit", "%s", text)
	}
	if r.Probe != nil {
		p.item("probe", "%s", r.Probe.Text())
	}
	aboutFirst(&p, "first", r.First)
	aboutFirst(&p, "again", r.FullAgain)
	if waited := r.WaitedText(); waited != "" {
		p.item("waited", "%s", waited)
	}
	if len(r.SyncSessions) > 0 {
		p.item("sessions", "%s", counted(r.SyncSessions))
	}
	if r.NoAddress > 0 {
		p.item("sessions", "none for %s without an address in sync.user_ips", plural(r.NoAddress, "user"))
	}
	if r.Remasked > 0 {
		p.item("mask", "is not what it was: %s of users read in full", plural(r.Remasked, "stream"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		p.item("down", "%s", downText(name, r.Services[name]))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Issues)) {
		p.issue("odd", kind, r.Issues[kind])
	}
	label := "commits"
	if r.Commits == 1 {
		label = "commit"
	}
	p.item(label, "%s", commitsText(r))
	if len(r.Tables) > 0 {
		p.printf("\n")
		p.indent(writtenTable(r).lines())
	}
	s.named(&p)
	return p.writeTo(w)
}

// aboutUsers says what became of them, and of whom nothing did.
func (s summary) aboutUsers(p *printout) {
	r := s.report
	p.item("users", "%s", usersText(r.Users))
	if text := unreachedText(r); text != "" {
		p.item("unreached", "%s", text)
	}
	if r.NotKept != nil {
		p.item("not kept", "%s", notKeptText(r.NotKept))
	}
	if r.Unsettled > 0 {
		p.item("settling", "%s pulled without the new analysis: it comes with the next run", plural(r.Unsettled, "user"))
	}
}

// paceText says where the API's limit comes from, "" where it is not known.
func paceText(r *report.Report) string {
	var parts []string
	switch {
	case r.Pace.From == finoos.LimitLearned && r.Pace.Began > 0:
		parts = append(parts, fmt.Sprintf("%.4g a second, learned; began at %.4g of %s", r.LearnedLimit, r.Pace.Began, day(r.Pace.LearnedAt)))
	case r.Pace.From == finoos.LimitLearned:
		parts = append(parts, fmt.Sprintf("%.4g a second, learned", r.LearnedLimit))
	case r.Pace.From == finoos.LimitRecalled:
		parts = append(parts, fmt.Sprintf("%.4g a second, recalled from %s", r.LearnedLimit, day(r.Pace.LearnedAt)))
	}
	if r.Pace.Ignored > 0 {
		parts = append(parts, fmt.Sprintf("what was remembered of it cannot be true (%d)", r.Pace.Ignored))
	}
	return strings.Join(parts, "; ")
}

// aboutFirst says how users were read of whom several streams were due, where one request
// for them was tried.
func aboutFirst(p *printout, label string, f *report.First) {
	if f != nil && (f.Joined+f.Compared > 0 || len(f.FellBack) > 0) {
		p.item(label, "%s", f.Text())
	}
}

// joined is an error in one line: those that were joined stand on one each.
func joined(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// commitsText says what was committed; that it is nothing means another thing where
// something was pulled.
func commitsText(r *report.Report) string {
	switch {
	case r.Commits > 0 && r.FirstSeq == r.LastSeq:
		return strconv.FormatUint(r.LastSeq, 10)
	case r.Commits > 0:
		return fmt.Sprintf("%d, numbers %d to %d", r.Commits, r.FirstSeq, r.LastSeq)
	case r.NotKept != nil:
		return "none that is known of: see what was not kept"
	case r.LostAll():
		return "none that is known of"
	case r.CameThrough():
		return "none: nothing to write"
	}
	return "none: nothing new was complete"
}

// named lists who failed and who is needed.
func (s summary) named(p *printout) {
	r := s.report
	most := shownUsers
	if s.users {
		most = report.MaxFailures
	}
	var pulls int64
	for _, n := range r.FailuresByClass {
		pulls += n
	}
	if pulls = max(pulls, int64(len(r.Failures))); pulls > 0 {
		p.printf("\n")
		p.item("failed", "%s of %s, the longest first:", plural(pulls, "pull"), plural(r.Users.Failed, "user"))
		f := report.ByUser(r.Failures, most)
		f.More = max(f.More, r.Users.Failed-int64(len(f.Users)))
		p.failing(f, s.others("the table pulls"))
	}
	if n := r.Needed; n.Count > 0 {
		p.printf("\n")
		p.item("needed", "%s", neededText(n))
		shown := min(len(n.Users), most)
		n.Users, n.More = n.Users[:shown], n.Count-int64(shown)
		p.needed(n, s.others("the table sync_sessions"))
	}
}

// others says where those are that are not named.
func (s summary) others(table string) string {
	if s.users {
		return table
	}
	return fmt.Sprintf("syncer report %s --users", s.report.RunID)
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
