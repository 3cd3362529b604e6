package reportpage

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs/report"
)

var update = flag.Bool("update", false, "write the golden pages anew")

func samples() map[string]*report.Report {
	return map[string]*report.Report{"busy": busy(177, 143), "small": busy(9, 12), "quiet": quiet(), "early": early()}
}

func pageOf(t *testing.T, r *report.Report) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPagesAreAsTheyWereLookedAt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"small", "quiet", "early"} {
		got, path := pageOf(t, samples()[name]), "testdata/"+name+".html"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s; with -update, and a look at it in a browser, this becomes what is wanted:\n%s", path, diff)
		}
	}
}

// element is one element of a page, read as strict XML: what is well-formed in
// both is read the same by every browser.
type element struct {
	name  string
	attrs map[string]string
	text  string // directly inside
}

func elements(t *testing.T, page string) (all []*element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	var open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		}
	}
}

func TestAPageIsSelfContainedAndRunsNothing(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		page := pageOf(t, r)
		for _, e := range elements(t, page) {
			switch e.name {
			case "script", "link", "img", "iframe", "object", "embed", "form", "base", "a", "use", "image":
				t.Errorf("%s: there is a <%s>", name, e.name)
			}
			for attr := range e.attrs {
				if strings.HasPrefix(attr, "on") || attr == "href" || attr == "src" {
					t.Errorf("%s: <%s> has %s", name, e.name, attr)
				}
			}
		}
		if found := regexp.MustCompile(`(?i)https?:|url\(|@import|//`).FindAllString(page, -1); len(found) > 0 {
			t.Errorf("%s: it fetches something: %q", name, found)
		}
	}
}

func TestWhatAReportSaysIsTextWhateverItSays(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"busy": 3, "early": 1} {
		page, found := pageOf(t, samples()[name]), 0
		for _, e := range elements(t, page) {
			found += strings.Count(e.text, hostile)
		}
		if found != times || strings.Contains(page, "<script") {
			t.Errorf("%s: the hostile id stands %d times as text, want %d", name, found, times)
		}
	}
}

func TestDrawingsHaveTitlesDescriptionsAndATable(t *testing.T) {
	t.Parallel()
	ids, drawings := map[string]*element{}, 0
	all := elements(t, pageOf(t, busy(177, 143)))
	for _, e := range all {
		if id := e.attrs["id"]; id != "" {
			if ids[id] != nil {
				t.Errorf("two elements are called %s", id)
			}
			ids[id] = e
		}
	}
	for _, e := range all {
		for id := range strings.FieldsSeq(e.attrs["aria-labelledby"]) {
			if ids[id] == nil || strings.TrimSpace(ids[id].text) == "" {
				t.Errorf("<%s> is labelled by %s, which says nothing", e.name, id)
			}
		}
		if e.name == "svg" && e.attrs["role"] == "img" {
			drawings++
			if names := strings.Fields(e.attrs["aria-labelledby"]); len(names) != 2 || ids[names[0]].name != "title" || ids[names[1]].name != "desc" {
				t.Errorf("a drawing is labelled by %v", names)
			}
		}
	}
	if drawings != 2 {
		t.Errorf("%d drawings", drawings)
	}
	desc := ids["chart-desc"].text
	if !strings.HasPrefix(desc, "54,210 requests in 47 min 12 s: 19 a second on average") || !strings.Contains(desc, "187 refused.") {
		t.Errorf("the chart is described as %q", desc)
	}
}

func TestNothingIsDrawnBeyondItsFrame(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`-?\d+(\.\d+)?`)
	for name, r := range samples() {
		for _, e := range elements(t, pageOf(t, r)) {
			if e.name == "path" && e.attrs["class"] != "commit" {
				for _, text := range number.FindAllString(e.attrs["d"], -1) {
					if v, err := strconv.ParseFloat(text, 64); err != nil || v < 0 || v > panelWidth {
						t.Fatalf("%s: %s in the path of %s", name, text, e.attrs["class"])
					}
				}
			}
			if width, ok := strings.CutPrefix(e.attrs["style"], "width:"); ok {
				if v, err := strconv.ParseFloat(strings.TrimSuffix(width, "%"), 64); err != nil || v < 0 || v > 100 {
					t.Errorf("%s: a bar is %s long", name, width)
				}
			}
		}
	}
}

func TestWhatDidNotHappenIsSaidInWords(t *testing.T) {
	t.Parallel()
	for name, words := range map[string][]string{
		"quiet": {
			"The run was too short for a timeline.", "Nothing was written: nothing had changed.", "No failures: every pull went well.",
			"No bank was asked for fresh data.", "No user was at work long enough to be told.",
		},
		"early": {"The run came to no user.", "This report has no timeline", "Nothing was written.", "No failures.", "The API was asked for nothing."},
	} {
		page := pageOf(t, samples()[name])
		for _, w := range words {
			if !strings.Contains(page, w) {
				t.Errorf("%s does not say %q", name, w)
			}
		}
	}
}

func TestARunThatCameThroughIsNotShownAsStopped(t *testing.T) {
	t.Parallel()
	for outcome, title := range map[string]string{report.DoneWithFailures: "Done, with failures", report.DoneInPart: "Done in part"} {
		page := pageOf(t, &report.Report{RunID: "01JD", Job: "nightly", Outcome: outcome, Error: "contracts stayed down"})
		for _, want := range []string{title + "</span></h1>", `<span class="badge warn">`, `<p class="callout warn" role="note"><strong>It ended with:</strong> contracts stayed down`} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: not in the page: %s", outcome, want)
			}
		}
	}
}

func TestAPageSaysWhatKindOfRunItWas(t *testing.T) {
	t.Parallel()
	r := quiet()
	r.Backfill = &report.Backfill{Name: "y2024", Since: "2024-01-01", Until: "2024-12-31", Undated: 3}
	r.Freshness, r.Named, r.OnlyFailed, r.Full = nil, 2, true, true
	r.Probe = &report.Probe{Mode: "one", Why: "the job says so", AskedOne: 12}
	page := pageOf(t, r)
	for _, w := range []string{
		"This was the backfill y2024, of 2024-01-01 to 2024-12-31.", "A backfill does not change it.",
		"3 transactions without a date were left out",
		"This run was for 2 users who had been named", "only for users who had failed before", "Everything was read in full", "Whom it asked of what: one, 12 asked of one service (the job says so).",
	} {
		if !strings.Contains(page, w) {
			t.Errorf("it does not say %q", w)
		}
	}
}

func TestAPageNeverSaysThatAllWentWellWhereSomethingIsLost(t *testing.T) {
	t.Parallel()
	well := "every pull went well"
	if page := pageOf(t, quiet()); strings.Count(page, well) != 2 {
		t.Fatal("a good night does not say that it was one")
	}
	early := func(outcome string) func(r *report.Report) {
		return func(r *report.Report) { r.Outcome, r.Users.Listed, r.Unreached = outcome, 10, 7 }
	}
	for name, c := range map[string]struct {
		change func(r *report.Report)
		says   string
	}{
		"deadline":    {early(report.Deadline), "7 users were not reached before the deadline: the next run begins with them."},
		"interrupted": {early(report.Interrupted), "7 users were not reached before the run was interrupted: the next run begins with them."},
		"stopped":     {early(report.Stopped), "7 users were not reached before the run was stopped: the next run begins with them."},
		"in part":     {early(report.DoneInPart), "7 users were not reached: the next run begins with them."},
		"of an earlier version, which counted nobody": {
			func(r *report.Report) { r.Outcome, r.Users.Listed = report.Stopped, 4 }, "1 user was not reached before the run was stopped",
		},
		"before the list": {
			func(r *report.Report) {
				r.Outcome, r.Users, r.AllUnreached = report.Stopped, report.UserCounts{}, true
			}, "Nobody was reached: the run ended before it was known who is there.",
		},
		"a backfill": {
			func(r *report.Report) { early(report.Interrupted)(r); r.Backfill = &report.Backfill{} }, "the same command goes on with them.",
		},
		"not kept": {
			func(r *report.Report) { r.Outcome, r.NotKept = report.Stopped, &report.NotKept{Users: 1, Rows: 2000} },
			"Not kept: 2,000 rows of 1 user. The run pulled them and could not commit them: the next one pulls them again.",
		},
		"perhaps not kept": {
			func(r *report.Report) { r.Outcome, r.NotKept = report.Stopped, &report.NotKept{Rows: 2, Unsure: true} },
			"the store has not told whether they are committed",
		},
		"quarantine": {func(r *report.Report) { r.Users.Unchanged, r.Users.Quarantined = 2, 1 }, "<b>1</b> in quarantine"},
	} {
		r := quiet()
		c.change(r)
		page := pageOf(t, r)
		if strings.Contains(page, well) || !strings.Contains(page, c.says) {
			t.Errorf("%s: it says that all went well, or not %q", name, c.says)
		}
		if r.NotKept != nil && strings.Contains(page, "nothing had changed") {
			t.Errorf("%s: it says that nothing had changed", name)
		}
	}
}

func TestAPageNamesWhoFailsAndWhoIsNeeded(t *testing.T) {
	t.Parallel()
	r := busy(177, 143)
	r.Failures[3].Nights, r.Failures[3].NextTry = 5, time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC)
	r.Needed = report.Needed{Count: 14, More: 2, Users: []report.NeededUser{
		{UserID: hostile, Logins: map[string]int64{"sca_required": 2}, NotedAt: r.Started, NextTry: r.Started.AddDate(0, 0, 7)},
	}}
	page := pageOf(t, r)
	for _, want := range []string{
		`<td class="n">5</td><td>not before 2026-11-25 14:00 UTC</td>`, `<td class="n">–</td><td>in the next run</td>`,
		"14 users with a bank login that only they can bring to work again; 2 of them are not named here.",
		"<td>2 sca_required</td><td>2026-11-22 02:00 UTC</td><td>not before 2026-11-29 02:00 UTC</td>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

func TestEveryShareOfTheUsersHasAColourOfItsOwn(t *testing.T) {
	t.Parallel()
	style, err := sources.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range shares(&report.Report{}) {
		rule := regexp.MustCompile(`\.u-` + s.Class + ` \{ fill: (var\(--[a-z]+\)); background: (var\(--[a-z]+\)); \}`).FindSubmatch(style)
		if rule == nil || string(rule[1]) != string(rule[2]) || seen[string(rule[1])] {
			t.Errorf("%s: %q", s.Name, rule)
			continue
		}
		seen[string(rule[1])] = true
	}
}

func TestAPageDoesNotSayThatThereWasNothingToWriteWhereItWasNotKept(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*report.Report{
		"not kept":              {Outcome: report.Stopped, Users: report.UserCounts{Listed: 3, Pulled: 3}, NotKept: &report.NotKept{Users: 3, Rows: 9}},
		"of an earlier version": {Outcome: report.Stopped, Users: report.UserCounts{Listed: 3, Pulled: 3}},
		"nobody was reached":    {Outcome: report.Interrupted, AllUnreached: true},
	} {
		if page := pageOf(t, r); strings.Contains(page, "nothing to write") {
			t.Errorf("%s: the page says that there was nothing to write", name)
		}
	}
	if page := pageOf(t, &report.Report{Outcome: report.Done}); !strings.Contains(page, "nothing to write") {
		t.Error("of a quiet night it does not")
	}
}
