package main

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/report"
)

// demoText prints a part of the demo's story; with --output json there is none.
func (a *app) demoText(write func(*printout)) error {
	if a.output == formatJSON {
		return nil
	}
	var p printout
	write(&p)
	return p.writeTo(a.stdout)
}

// demoLog keeps the run's own log out of the story, unless somebody asks for it.
func (a *app) demoLog() *slog.Logger {
	if a.logLevel == "info" {
		return slog.New(slog.DiscardHandler)
	}
	return a.log
}

func demoIntroduction(p *printout, f demoFlags, t demoTrouble) {
	p.printf("A simulated bank with %s users, and three nights of `syncer run` into %s.\n", count(int64(f.users)), shownDir(f.dir))
	p.printf("The first night reads everything. Then, each day, some users book, pay and sign;\n")
	p.printf("most do not: only what changed is asked for and written.\n")
	if t.fails != "" {
		p.printf("\nThe contracts of user %s cannot be read:\nthat costs nobody else anything.\n", t.fails)
	}
	if t.needed != "" {
		p.printf("The bank of user %s wants its user.\n", t.needed)
	}
}

func (n night) text(p *printout) {
	day, _ := time.Parse(time.DateOnly, n.Day)
	title := fmt.Sprintf("Night %d, %s", n.Number, day.Format("Monday, 2 January 2006"))
	p.printf("\n%s\n%s\n\n", title, strings.Repeat("-", len(title)))
	filled(p, "Users: %s.", usersText(n.Report.Users))
	if sessions := counted(n.Report.SyncSessions); sessions != "" {
		p.printf("  Banks asked for fresh data: %s.\n", sessions)
	}
	if n.Report.Outcome == report.DoneInPart {
		filled(p, "But: %s.", n.Report.Error)
	}
	for _, f := range n.Report.Failures[:min(len(n.Report.Failures), shownUsers)] {
		filled(p, "Failed: %s of user %s (%s); the next night tries again.", f.Stream, f.UserID, f.Class)
	}
	p.printf("\n")
	p.indent(besideOrBelow(askedTable(n.Report.RequestsByOperation).lines(), writtenTable(n.Report).lines()))
	p.printf("\n")
	if n.Number == 1 {
		p.printf("  This was a full export, in %s.\n", n.took.Round(10*time.Millisecond))
		return
	}
	full := n.FullExport
	filled(p, "A full export would have cost about %s requests, %s read and %s rows: this night cost %s of the requests, %s of the bytes and %s of the rows, in %s.",
		count(full.Requests), size(full.Bytes), count(full.Rows), share(n.Report.Requests, full.Requests), share(n.Report.BytesRead, full.Bytes), share(rowsOf(n.Report), full.Rows), n.took.Round(10*time.Millisecond))
}

func share(part, whole int64) string {
	if whole == 0 {
		return "none"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

// fullExport is what reading everything costs.
type fullExport struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
	Rows     int64 `json:"rows"`
}

// estimateFullExport takes what the first night cost, which was one, without what
// an export that remembers nothing does not ask for: correlations and bank
// synchronisations; for as many users as there are on the last night.
func estimateFullExport(nights []night) fullExport {
	first, last := nights[0].Report, nights[len(nights)-1].Report
	if first.Users.Listed == 0 {
		return fullExport{}
	}
	var requests int64
	for _, op := range finoos.Operations() {
		if op.Name != "correlation" && op.Name != "synchronize" && op.Name != "user" {
			requests += first.RequestsByOperation[op.Name]
		}
	}
	scale := func(n int64) int64 { return n * last.Users.Listed / first.Users.Listed }
	return fullExport{Requests: scale(requests), Bytes: scale(first.BytesRead), Rows: scale(rowsOf(first))}
}

// rowsOf counts the rows of the streams, not those of the run's own tables.
func rowsOf(r *report.Report) int64 {
	var rows int64
	for _, stream := range slices.Sorted(maps.Keys(r.Streams)) {
		rows += r.Streams[stream].Rows + r.Streams[stream].Deletes
	}
	return rows
}

// shownDir is a folder as one would type it.
func shownDir(dir string) string {
	if filepath.IsAbs(dir) || strings.HasPrefix(dir, ".") {
		return dir
	}
	return "./" + dir
}

// demoEnd prints what to do with the lake: commands that can be pasted into a shell from
// any folder, and queries for DuckDB.
func demoEnd(p *printout, syncer, lake string) {
	heading(p, "Look at it with DuckDB")
	p.printf("With the duckdb command (https://duckdb.org), this makes views of its tables:\n\n")
	p.printf("  %s sql --dialect duckdb \\\n    --location %s \\\n    | duckdb lake.duckdb\n\n", syncer, quotedForShell(lake))
	p.printf("Then paste what you like of these into: duckdb lake.duckdb\n")
	inSQL := strings.ReplaceAll(filepath.ToSlash(lake), "'", "''")
	for _, q := range demoQueries {
		p.printf("\n-- %s\n%s\n", q.about, strings.ReplaceAll(q.sql, "LAKE", inSQL))
	}
	heading(p, "What to look at next")
	config := quotedForShell(filepath.Join(lake, demoConfigFile))
	for _, next := range []struct{ about, command string }{
		{"The last night as a page, to open in a browser.", "report latest --html run.html \\\n    --config " + config},
		{"How the job stands: who fails, who needs its user, how old the data are.", "status --config " + config},
		{"Whether every file is what was committed.", "verify demo \\\n    --config " + config},
		{"The same bank as an API on a port.", "sandbox"},
		{"A jobs.yaml of your own, to pull from finoOS into your bucket every night.", "init"},
	} {
		p.printf("%s\n\n  %s %s\n\n", next.about, syncer, next.command)
	}
	p.printf("In %s are:\n\n", lake)
	files := newTable("contracts", "the Parquet files of one table")
	files.add(filepath.Join("_syncer", demoJob, "log"), "the commits: which files each made visible, in one write")
	files.add(filepath.Join("_syncer", demoJob, "runs"), "the report of each run, and beside it its page")
	p.indent(files.lines())
}

func heading(p *printout, title string) {
	p.printf("\n%s\n%s\n\n", title, strings.Repeat("-", len(title)))
}

// filled prints a text in lines that are narrow enough, indented by two.
func filled(p *printout, format string, args ...any) {
	for _, line := range human.Wrap(human.Line(fmt.Sprintf(format, args...), longestText), lineWidth-2) {
		p.printf("  %s\n", line)
	}
}
