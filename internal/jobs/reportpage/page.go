// Package reportpage makes a page for people of a run report: one HTML file
// with everything in it, no script, nothing from elsewhere. It can be mailed,
// put into a bucket or opened from a disk, on a large screen or a small one,
// in daylight or at night.
//
// What is in the page is made in three steps: page.go orders the report into
// the sections that the page has, chart.go draws the timeline, and page.html
// and page.css lay it out. Reports of earlier versions lack some of it: then
// the section says so.
package reportpage

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/table"
)

//go:embed page.html page.css
var sources embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"count":   human.Count,
	"size":    human.Size,
	"seconds": human.Seconds,
	"age":     age,
	"plural":  human.Plural,
	"long":    func(n int) int64 { return int64(n) },
	"moment":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
}).ParseFS(sources, "page.html", "page.css"))

// Write writes the page of a report. Everything that the report says is
// escaped: ids and errors come from outside.
func Write(w io.Writer, r *report.Report) error {
	if err := pageTemplate.Execute(w, newPage(r)); err != nil {
		return fmt.Errorf("write the report's page: %w", err)
	}
	return nil
}

// shownRun is what the template shows.
type shownRun struct {
	*report.Report

	End      outcome
	Facts    []string
	Notes    []string
	Figures  []figure
	Shares   []share // of the users, by what became of them
	Chart    *chart  // nil where there is nothing to draw
	Written  []bar
	AllRows  int64
	AllFiles int64
	AllBytes int64
	Pulls    []stream
	Sessions []bar
	Stages   []stage
	Ages     []streamAges
	Classes  []bar
	Failed   int64
	Shown    []report.Failure // of Report.Failures
	Hidden   []report.Failure // of Report.Failures, in a part that opens
	Waiting  []needed         // of Report.Needed
	Later    []needed         // of Report.Needed, in a part that opens
	Asked    []bar
	AllWell  bool // nothing has failed, and nobody was left out
}

// needed is a user with logins that wait for it.
type needed struct {
	report.NeededUser

	Which string
}

// figure is a number that is looked at first.
type figure struct{ Label, Value, Detail string }

// bar is a row of a table that ends in a bar. Percent is its length.
type bar struct {
	Name, Meaning string
	N             int64
	Files, Bytes  int64
	Percent       float64
}

// share is a part of a whole, shown in the colour of a class; X and Width are percent of
// the whole.
type share struct {
	Name     string
	Class    string
	N        int64
	X, Width float64
}

type stream struct {
	Name config.Stream
	*report.Stream
}

// stage is one stage of users, and who was slowest in it.
type stage struct {
	Name      string
	Top, Rest []slow
}

type slow struct {
	report.SlowUser

	Percent float64
}

type streamAges struct {
	Name config.Stream
	report.Freshness
}

// shownFailures and shownSlow are how many of them stand open.
const (
	shownFailures = 10
	shownSlow     = 5
)

func newPage(r *report.Report) *shownRun {
	p := &shownRun{Report: r, End: outcomes[r.Outcome], Facts: facts(r), Notes: notes(r), Shares: shares(r), Chart: newChart(r)}
	if p.End.Title == "" {
		p.End = outcome{Title: r.Outcome, Kind: "warn"}
	}
	p.written(r)
	for _, s := range config.Streams() {
		if sr := r.Streams[s]; sr != nil {
			p.Pulls = append(p.Pulls, stream{s, sr})
		}
		if f, ok := r.Freshness[s]; ok {
			p.Ages = append(p.Ages, streamAges{s, f})
		}
		p.Failed += failedOf(r.Streams[s])
	}
	p.Sessions = bars(r.SyncSessions, sessionMeanings)
	byClass := map[string]int64{}
	for class, n := range r.FailuresByClass {
		byClass[string(class)] = n
	}
	p.Classes = bars(byClass, classMeanings)
	p.Asked = bars(r.RequestsByOperation, nil)
	p.stages(r)
	n := min(len(r.Failures), shownFailures)
	p.Shown, p.Hidden = r.Failures[:n], r.Failures[n:]
	p.needed(r)
	p.AllWell = p.Failed == 0 && r.CameThrough() && len(r.Services) == 0 && r.Users.Quarantined+r.Users.PassedOver+r.Users.Missing == 0 && r.NotKept == nil
	p.figures(r)
	return p
}

// needed lists the users who are waited for.
func (p *shownRun) needed(r *report.Report) {
	for i, u := range r.Needed.Users {
		var which []string
		for _, outcome := range slices.Sorted(maps.Keys(u.Logins)) {
			which = append(which, human.Count(u.Logins[outcome])+" "+outcome)
		}
		n := needed{u, strings.Join(which, ", ")}
		if i < shownFailures {
			p.Waiting = append(p.Waiting, n)
		} else {
			p.Later = append(p.Later, n)
		}
	}
}

func failedOf(s *report.Stream) int64 {
	if s == nil {
		return 0
	}
	return s.Failed
}

// written lists what was committed, in the order of the tables.
func (p *shownRun) written(r *report.Report) {
	var most int64
	for _, t := range table.Tables() {
		if c, ok := r.Tables[t.Name]; ok {
			p.Written = append(p.Written, bar{Name: t.Name, N: c.Rows, Files: c.Files, Bytes: c.Bytes})
			p.AllRows, p.AllFiles, p.AllBytes = p.AllRows+c.Rows, p.AllFiles+c.Files, p.AllBytes+c.Bytes
			most = max(most, c.Rows)
		}
	}
	for i := range p.Written {
		p.Written[i].Percent = percent(p.Written[i].N, most)
	}
}

// stages lists the slowest users: sync and settle first, then the streams.
func (p *shownRun) stages(r *report.Report) {
	order := []string{"sync", "settle"}
	for _, s := range config.Streams() {
		order = append(order, string(s))
	}
	for _, name := range order {
		users := r.Slowest[name]
		if len(users) == 0 {
			continue
		}
		st := stage{Name: stageTitles[name]}
		if st.Name == "" {
			st.Name = "Pull " + name
		}
		for i, u := range users {
			s := slow{SlowUser: u}
			if longest := users[0].Seconds; longest > 0 {
				s.Percent = 100 * u.Seconds / longest
			}
			if i < shownSlow {
				st.Top = append(st.Top, s)
			} else {
				st.Rest = append(st.Rest, s)
			}
		}
		p.Stages = append(p.Stages, st)
	}
}

func (p *shownRun) figures(r *report.Report) {
	commits := "nothing to write"
	switch {
	case r.Commits > 1:
		commits = fmt.Sprintf("numbers %d to %d", r.FirstSeq, r.LastSeq)
	case r.Commits == 1:
		commits = fmt.Sprintf("number %d", r.LastSeq)
	case r.NotKept != nil && !r.NotKept.Unsure:
		commits = "what was pulled was not kept"
	case r.LostAll():
		commits = "none that is known of"
	case !r.CameThrough():
		commits = "nothing new was complete"
	}
	failures, written := "of those that were tried", human.Size(p.AllBytes)+" in "+human.Plural(p.AllFiles, "file")
	switch {
	case p.Failed > 0:
		failures = "of " + human.Plural(r.Users.Failed, "user")
	case len(r.Streams) == 0:
		failures = "nothing was pulled"
	case p.AllWell:
		failures = "every pull went well"
	}
	users := human.Count(r.Users.Pulled) + " brought something new"
	if left := r.Left(); left > 0 {
		users = human.Count(left) + " not reached"
	}
	if p.AllFiles == 0 {
		written = "no file"
	}
	p.Figures = []figure{
		{"Users", human.Count(r.Users.Listed), users},
		{"Failed pulls", human.Count(p.Failed), failures},
		{"Rows written", human.Count(p.AllRows), written},
		{"Requests", human.Count(r.Requests), pace(r)},
		{"Refused", human.Count(r.Refused), human.Count(r.Retries) + " tried again"},
		{"Commits", human.Count(int64(r.Commits)), commits},
	}
}

func pace(r *report.Report) string {
	read := human.Size(r.BytesRead) + " read"
	if s := r.Took().Seconds(); s > 0 {
		return perSecond(float64(r.Requests)/s) + " a second, " + read
	}
	return read
}

// shares splits the users by what became of them.
func shares(r *report.Report) []share {
	u := r.Users
	parts := []share{
		{Name: "pulled", Class: "pulled", N: u.Pulled},
		{Name: "unchanged", Class: "unchanged", N: u.Unchanged},
		{Name: "no analysis yet", Class: "none", N: u.NoAnalysis},
		{Name: "not booked", Class: "unbooked", N: u.NotBooked},
		{Name: "gone", Class: "gone", N: u.Gone},
		{Name: "missing", Class: "missing", N: u.Missing},
		{Name: "in quarantine", Class: "paused", N: u.Quarantined},
		{Name: "passed over", Class: "over", N: u.PassedOver},
		{Name: "failed", Class: "failed", N: u.Failed},
		{Name: "not reached", Class: "left", N: r.Left()},
	}
	var all int64
	for _, s := range parts {
		all += s.N
	}
	at := 0.0
	for i := range parts {
		parts[i].X, parts[i].Width = at, percent(parts[i].N, all)
		at += parts[i].Width
	}
	return parts
}

// bars orders counts, largest first.
func bars(counts map[string]int64, meanings map[string]string) []bar {
	var list []bar
	var most int64
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > 0 {
			list = append(list, bar{Name: name, N: counts[name], Meaning: meanings[name]})
			most = max(most, counts[name])
		}
	}
	slices.SortStableFunc(list, func(a, b bar) int { return int(max(-1, min(1, b.N-a.N))) })
	for i := range list {
		list[i].Percent = percent(list[i].N, most)
	}
	return list
}

func percent(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part*10_000/whole) / 100
}

// age writes the age of data, for which minutes are fine enough.
func age(seconds float64) string {
	if seconds < 60 {
		return "< 1 min"
	}
	return human.Duration(time.Duration(seconds * float64(time.Second)).Round(time.Minute))
}
