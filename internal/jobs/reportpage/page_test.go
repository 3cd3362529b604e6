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
	page := pageOf(t, r)
	for _, w := range []string{
		"This was the backfill y2024, of 2024-01-01 to 2024-12-31.", "A backfill does not change it.",
		"3 transactions without a date were left out",
		"This run was for 2 users who had been named", "only for users who had failed before", "Everything was read in full",
	} {
		if !strings.Contains(page, w) {
			t.Errorf("it does not say %q", w)
		}
	}
}
