package finoos

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// directory is a tenant's users in pages, in one of the ways in which the API
// may turn out to serve them.
type directory struct {
	pages      int // of size users each
	size       int
	countsFrom int
	context    string // with PAGE, SIZE, ALL (pages) and TOTAL (users)
	end        string // what comes after the last page
}

func (d directory) answer(r *http.Request, _ int) reply {
	number := d.countsFrom
	if asked := r.URL.Query().Get("page"); asked != "" {
		number, _ = strconv.Atoi(asked)
	}
	index := max(number-d.countsFrom, 0) // below the first is the first
	if index >= d.pages {
		switch d.end {
		case "204":
			return reply{status: 204}
		case "404":
			return reply{status: 404}
		case "repeat the last":
			index = d.pages - 1
		case "repeat the first":
			index = 0
		}
	}
	users := []string{}
	for i := range d.size {
		if index < d.pages {
			users = append(users, fmt.Sprintf(`{"id":"u%d"}`, index*d.size+i))
		}
	}
	about := "{}"
	if d.context != "" {
		about = strings.NewReplacer("PAGE", strconv.Itoa(index+d.countsFrom), "SIZE", strconv.Itoa(d.size),
			"ALL", strconv.Itoa(d.pages), "TOTAL", strconv.Itoa(d.pages*d.size)).Replace(d.context)
	}
	return reply{body: `{"context":` + about + `,"users":[` + strings.Join(users, ",") + `]}`}
}

func userIDs(t *testing.T, c *Client) ([]string, error) {
	t.Helper()
	ids := []string{}
	for u, err := range c.Users(t.Context()) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, u.ID)
	}
	return ids, nil
}

func everyUser(n int) []string {
	ids := []string{}
	for i := range n {
		ids = append(ids, "u"+strconv.Itoa(i))
	}
	return ids
}

func TestEveryUserComesOnceHoweverPagesAreServed(t *testing.T) {
	t.Parallel()
	contexts := map[string]string{
		"nothing told": "", "page told": `{"page":PAGE}`, "all told": `{"page":PAGE,"pageSize":SIZE,"totalPages":ALL,"total":TOTAL}`,
		"no total told":        `{"page":PAGE,"pageSize":SIZE,"totalPages":ALL}`,
		"number of pages told": `{"totalPages":ALL}`, "nonsense told": `{"page":"xPAGE","totalPages":-1,"total":{}}`,
	}
	for told, context := range contexts {
		for _, end := range []string{"empty", "204", "404", "repeat the last", "repeat the first"} {
			for _, from := range []int{0, 1} {
				for _, pages := range []int{1, 2, 5} {
					t.Run(fmt.Sprintf("%s, %s, from %d, %d pages", told, end, from, pages), func(t *testing.T) {
						t.Parallel()
						d := directory{pages: pages, size: 3, countsFrom: from, context: context, end: end}
						for _, first := range []string{"auto", strconv.Itoa(from)} {
							c, a := setup(t, d.answer, func(cfg *Config) { cfg.FirstPage = first })
							ids, err := userIDs(t, c)
							if diff := cmp.Diff(everyUser(3*pages), ids); diff != "" || err != nil {
								t.Errorf("first page %s: %v %s", first, err, diff)
							}
							most := pages + 2
							if told == "no total told" {
								most = pages + 1 // it might be less than there are
							}
							if told == "all told" {
								most = pages
							}
							if a.count() > most {
								t.Errorf("first page %s: %d requests for %d pages: %q", first, a.count(), pages, a.queries())
							}
						}
					})
				}
			}
		}
	}
}

func TestPagesAreAskedForByNumber(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first string
		d     directory
		want  []string
	}{
		{"auto", directory{pages: 2, size: 2, countsFrom: 1}, []string{"", "page=1", "page=2", "page=3"}},
		{"auto", directory{pages: 2, size: 2, countsFrom: 0}, []string{"", "page=1", "page=2"}},
		{"auto", directory{pages: 2, size: 2, countsFrom: 1, context: `{"page":PAGE}`}, []string{"", "page=2", "page=3"}},
		{"auto", directory{pages: 2, size: 2, countsFrom: 0, context: `{"page":PAGE}`}, []string{"", "page=1", "page=2"}},
		{"0", directory{pages: 2, size: 2, countsFrom: 0}, []string{"page=0", "page=1", "page=2"}},
		{"1", directory{pages: 2, size: 2, countsFrom: 1}, []string{"page=1", "page=2", "page=3"}},
		{"1", directory{pages: 2, size: 2, countsFrom: 1, context: `{"page":"PAGE","pageSize":SIZE,"total":TOTAL}`}, []string{"page=1", "page=2"}},
	} {
		c, a := setup(t, test.d.answer, func(cfg *Config) { cfg.FirstPage = test.first })
		if _, err := userIDs(t, c); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(test.want, a.queries()); d != "" {
			t.Errorf("first page %s, %+v: %s", test.first, test.d, d)
		}
	}
}

func pageOf(about string, ids ...string) reply {
	users := []string{}
	for _, id := range ids {
		users = append(users, `{"id":"`+id+`"}`)
	}
	return reply{body: `{"users":[` + strings.Join(users, ",") + `],"context":{` + about + `}}`}
}

func TestNobodyIsLostWhenPagesAreOtherThanTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pages []reply
		want  string
	}{
		// The number reported is one less than the number asked for.
		"number told is another": {[]reply{
			pageOf(`"page":0`, "a", "b"), pageOf(`"page":0`, "a", "b"), pageOf(`"page":1`, "c"), pageOf(``),
		}, "a b c"},
		"total is stale": {[]reply{pageOf(`"page":1,"pageSize":1,"totalPages":1`, "a", "b"), pageOf(``, "c"), pageOf(``)}, "a b c"},
		"number of pages is too large": {[]reply{
			pageOf(`"page":1,"totalPages":4`, "a"), pageOf(`"totalPages":4`, "b"), pageOf(`"totalPages":4`), pageOf(`"totalPages":4`),
		}, "a b"},
		"number of pages is too small": {[]reply{
			pageOf(`"page":1,"totalPages":2,"total":5`, "a", "b"), pageOf(`"totalPages":2`, "c", "d"), pageOf(`"totalPages":2`, "e"),
		}, "a b c d e"},
		"number of pages is too small, and nobody tells": {[]reply{
			pageOf(`"page":1,"totalPages":2`, "a", "b"), pageOf(`"totalPages":2`, "c", "d"), pageOf(`"totalPages":2`, "e"),
		}, "a b c d e"},
		"a page in the middle is empty": {[]reply{
			pageOf(`"page":1,"totalPages":3`, "a"), pageOf(`"totalPages":3`), pageOf(`"totalPages":3`, "b"), pageOf(``),
		}, "a b"},
		// Page 1 is the first page again, onto which somebody has moved.
		"moved while it was found out": {[]reply{
			pageOf(`"totalPages":2,"total":4`, "a", "b"), pageOf(`"totalPages":2`, "new", "a"), pageOf(`"totalPages":2`, "b", "c"),
		}, "a b new c"},
		"moved on the way":                     {[]reply{pageOf(`"page":1,"total":4`, "a", "b"), pageOf(``, "b", "c"), pageOf(``, "c", "d"), pageOf(``)}, "a b c d"},
		"shrinks to a part of the page before": {[]reply{pageOf(`"page":1`, "a", "b"), pageOf(``, "b")}, "a b"},
	} {
		c, a := setup(t, inTurn(test.pages...))
		ids, err := userIDs(t, c)
		if got := strings.Join(ids, " "); got != test.want || err != nil || a.count() != len(test.pages) {
			t.Errorf("%s: got %s, %v after %d requests", name, got, err, a.count())
		}
	}
}

func TestNoUsersIsAnEmptyListing(t *testing.T) {
	t.Parallel()
	for _, r := range []reply{{status: 204}, pageOf(""), {body: "null"}, {body: `{"users":null}`}, {body: `{"context":{"total":0}}`}} {
		c, a := setup(t, always(r))
		if ids, err := userIDs(t, c); len(ids) > 0 || err != nil || a.count() != 1 {
			t.Errorf("%v, %v after %d requests", ids, err, a.count())
		}
	}
}

func TestFirstPageThatIsNotFoundIsAnError(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, always(reply{status: 404}))
	if _, err := userIDs(t, c); ClassOf(err) != NotFound {
		t.Errorf("got %v", err)
	}
}

func TestListingMayBeLeftEarly(t *testing.T) {
	t.Parallel()
	b := newBudget(10 * chunkSize)
	c, a := setup(t, directory{pages: 5, size: 5, countsFrom: 1}.answer, func(cfg *Config) { cfg.Budget = b })
	for u, err := range c.Users(t.Context()) {
		if u.ID != "u0" || err != nil {
			t.Errorf("got %s, %v", u.ID, err)
		}
		break
	}
	if b.held.Load() != 0 || a.count() != 1 {
		t.Errorf("%d held after %d requests", b.held.Load(), a.count())
	}
}

func TestListingOfUsersIsRetriedPageByPage(t *testing.T) {
	t.Parallel()
	first := pageOf(`"page":1`, "a")
	c, _ := setup(t, inTurn(first, reply{body: `{"users":[`, cut: io.ErrUnexpectedEOF}, pageOf(``, "b"), pageOf(``)))
	ids, err := userIDs(t, c)
	if d := cmp.Diff([]string{"a", "b"}, ids); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
}
