package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tagsOf(c *client, id, query string) map[string]bool {
	c.Helper()
	var got struct {
		Categorization []struct {
			TransactionID string
			Tags          []string
		}
	}
	c.read("/users/"+id+"/categorization?"+query, &got)
	tags := map[string]bool{}
	for _, e := range got.Categorization {
		for _, tag := range e.Tags {
			tags[e.TransactionID+" "+tag] = true
		}
	}
	return tags
}

func correlationOf(c *client, id, service string) string {
	c.Helper()
	status, body := c.get("/users/" + id + "/" + service + "/correlation")
	var got struct {
		CorrelationID string `json:"correlationID"`
	}
	if status == http.StatusOK && json.Unmarshal(body, &got) != nil {
		c.Fatal(string(body))
	}
	return got.CorrelationID
}

func TestOldTagsAndTheDiffAreTheNewTags(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 10, Seed: 31, Plain: true, CategorizationPageSize: 100000, Nightly: Odds{Analysed: 0.8, Gone: -1}})
	grown := 0
	for i := range 10 {
		id := c.s.UserID(i)
		before, old := correlationOf(c, id, "categorization"), tagsOf(c, id, "")
		if before == "" {
			continue
		}
		c.s.Night()
		c.s.Night()
		added, now := tagsOf(c, id, "correlation-id="+before), tagsOf(c, id, "")
		for tag := range added {
			if old[tag] {
				t.Errorf("user %d: the diff repeats %q", i, tag)
			}
			old[tag] = true
			grown++
		}
		if diff := cmp.Diff(now, old); diff != "" {
			t.Errorf("user %d: all tags (-), old ones and the diff (+):\n%s", i, diff)
		}
		if again := tagsOf(c, id, "correlation-id="+correlationOf(c, id, "categorization")); len(again) != 0 {
			t.Errorf("user %d: %d tags are newer than the newest analysis", i, len(again))
		}
	}
	if grown == 0 {
		t.Error("no diff told of any tag")
	}
}

func TestUnknownAndOldAnalysesAreRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, http.StatusBadRequest, http.StatusGone} {
		c := setup(t, Options{Users: 3, Seed: 1, UnknownCorrelation: status, KeepAnalyses: 2, Nightly: Odds{Analysed: 1, Gone: -1, Login: -1}})
		id := c.s.UserID(0)
		old := correlationOf(c, id, "categorization")
		want := max(status, http.StatusBadRequest)
		if status == 0 {
			want = http.StatusNotFound
		}
		if got, _ := c.get("/users/" + id + "/categorization?correlation-id=none"); got != want {
			t.Errorf("an unknown analysis is answered %d, want %d", got, want)
		}
		for night := range 3 {
			c.s.Night()
			got, _ := c.get("/users/" + id + "/categorization?correlation-id=" + old)
			if tooOld := night > 0; (got == want) != tooOld {
				t.Errorf("night %d: the first analysis is answered %d", night, got)
			}
		}
	}
}

func TestADiffMayNameAllTagsOfATransaction(t *testing.T) {
	t.Parallel()
	o := Options{Users: 5, Seed: 31, Plain: true, CategorizationPageSize: 100000, Nightly: Odds{Analysed: 1, Gone: -1, Login: -1}}
	count := func(whole bool) (n int) {
		o.DiffWholeTags = whole
		c := setup(t, o)
		for i := range 5 {
			id := c.s.UserID(i)
			before := correlationOf(c, id, "categorization")
			c.s.Night()
			n += len(tagsOf(c, id, "correlation-id="+before))
		}
		return n
	}
	if few, many := count(false), count(true); few >= many || few == 0 {
		t.Errorf("new tags alone: %d, all of their transactions: %d", few, many)
	}
}

func TestTagsAreTakenAwayOnlyWhenAskedTo(t *testing.T) {
	t.Parallel()
	lost := func(remove bool) (n int) {
		c := setup(t, Options{Users: 8, Seed: 3, Plain: true, CategorizationPageSize: 100000, RemoveTags: remove, Nightly: Odds{Analysed: 1, Gone: -1, Login: -1}})
		for i := range 8 {
			before := tagsOf(c, c.s.UserID(i), "")
			c.s.Night()
			now := tagsOf(c, c.s.UserID(i), "")
			for tag := range before {
				if !now[tag] {
					n++
				}
			}
		}
		return n
	}
	if n := lost(false); n != 0 {
		t.Errorf("%d tags were taken away", n)
	}
	if lost(true) == 0 {
		t.Error("no tag was taken away")
	}
}

func TestPagesOfCategorizationMakeOneList(t *testing.T) {
	t.Parallel()
	whole := setup(t, Options{Users: 1, Seed: 6, Plain: true, CategorizationPageSize: 100000})
	paged := setup(t, Options{Users: 1, Seed: 6, Plain: true, CategorizationPageSize: 70})
	id := whole.s.UserID(0)
	pages := map[string]bool{}
	for page := 1; ; page++ {
		more := tagsOf(paged, id, fmt.Sprintf("page=%d", page))
		if len(more) == 0 {
			break
		}
		for tag := range more {
			pages[tag] = true
		}
	}
	if diff := cmp.Diff(tagsOf(whole, id, ""), pages); diff != "" {
		t.Errorf("whole (-), paged (+):\n%s", diff)
	}
}

func TestTagsComeAsObjectsToo(t *testing.T) {
	t.Parallel()
	for _, names := range []bool{false, true} {
		c := setup(t, Options{Users: 40, Seed: 1, TagNames: names})
		seen := map[string]int{}
		for i := range 40 {
			var got struct{ Categorization []struct{ Tags []any } }
			c.read("/users/"+c.s.UserID(i)+"/categorization", &got)
			for _, e := range got.Categorization {
				for _, tag := range e.Tags {
					form := "text"
					if object, isObject := tag.(map[string]any); isObject {
						form = fmt.Sprintf("id %v, name %v", object["id"] != nil, object["name"] != nil)
					}
					seen[form]++
				}
			}
		}
		if seen["text"] == 0 || seen["id false, name true"] == 0 || (seen["id true, name true"] > 0) != names || (seen["id true, name false"] > 0) == names {
			t.Errorf("names: %v; seen %v", names, seen)
		}
	}
}
