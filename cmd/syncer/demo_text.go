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

func demoIntroduction(p *printout, f demoFlags) {
	p.printf("A simulated bank with %s users, and three nights of `syncer run` into %s.\n", count(int64(f.users)), shownDir(f.dir))
	p.printf("The first night reads everything. Then, each day, some users book, pay and sign;\n")
	p.printf("most do not: only what changed is asked for and written.\n")
}

func (n night) text(p *printout) {
	day, _ := time.Parse(time.DateOnly, n.Day)
	title := fmt.Sprintf("Night %d, %s", n.Number, day.Format("Monday, 2 January 2006"))
	p.printf("\n%s\n%s\n\n", title, strings.Repeat("-", len(title)))
	p.printf("  Users: %s.\n", usersText(n.Report.Users))
	if sessions := counted(n.Report.SyncSessions); sessions != "" {
		p.printf("  Banks asked for fresh data: %s.\n", sessions)
	}
	if n.Report.Outcome == report.DoneInPart {
		p.printf("  But: %s.\n", n.Report.Error)
	}
	p.printf("\n")
	p.indent(beside(askedTable(n.Report.RequestsByOperation).lines(), writtenTable(n.Report).lines()))
	p.printf("\n")
	if n.Number == 1 {
		p.printf("  This was a full export, in %s.\n", n.took.Round(10*time.Millisecond))
		return
	}
	full := n.FullExport
	p.printf("  A full export would have cost about %s requests, %s read and %s rows:\n", count(full.Requests), size(full.Bytes), count(full.Rows))
	p.printf("  this night cost %s of the requests, %s of the bytes and %s of the rows, in %s.\n",
		share(n.Report.Requests, full.Requests), share(n.Report.BytesRead, full.Bytes), share(rowsOf(n.Report), full.Rows), n.took.Round(10*time.Millisecond))
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

func demoEnd(p *printout, dir string) {
	lake := strings.ReplaceAll(filepath.ToSlash(dir), "'", "''")
	title := "Look at it with DuckDB"
	p.printf("\n%s\n%s\n\n", title, strings.Repeat("-", len(title)))
	p.printf("  syncer sql --dialect duckdb --location %s | duckdb lake.duckdb\n\n", quotedForShell(dir))
	p.printf("makes the views. Then paste into `duckdb lake.duckdb`:\n")
	for _, q := range demoQueries {
		p.printf("\n-- %s\n%s\n", q.about, strings.ReplaceAll(q.sql, "LAKE", lake))
	}
	title = "What to look at next"
	p.printf("\n%s\n%s\n\n", title, strings.Repeat("-", len(title)))
	next := newTable(filepath.Join(dir, "contracts"), "the Parquet files of one table")
	next.add(filepath.Join(dir, "_syncer", demoJob, "log"), "the commits: which files each night made visible, in one write")
	next.add(filepath.Join(dir, "_syncer", demoJob, "runs"), "the report of each run, and beside it a page to open in a browser")
	next.add("syncer report latest --html run.html", "such a page of your own runs")
	next.add("syncer sandbox", "the same bank as an API on a port")
	next.add("jobs.yaml, README.md", "a real set-up: finoOS, your bucket, every night")
	p.indent(next.lines())
}

// quotedForShell is a word as one would type it.
func quotedForShell(word string) string {
	if strings.ContainsAny(word, " '\"\\$`*?[](){}<>|&;!#~") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
