package finoos

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/wait"
)

// listed lists all users, and says what the listing knows of itself.
func listed(t *testing.T, c *Client, ahead int) ([]string, Extent, error) {
	t.Helper()
	l := c.ListUsers(ListOptions{Ahead: ahead})
	ids := []string{}
	for u, err := range l.All(t.Context()) {
		if err != nil {
			return ids, l.Extent(), err
		}
		ids = append(ids, u.ID)
	}
	return ids, l.Extent(), nil
}

func patient(c *Config) { c.RetryMaxElapsed = -1 } // which is not at all

func TestPagesThatAreCountedAreReadSideBySideAndComeInOrder(t *testing.T) {
	t.Parallel()
	for _, from := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			d := directory{pages: 40, size: 3, countsFrom: from, context: `{"page":PAGE,"pageSize":SIZE,"totalPages":ALL,"total":TOTAL}`, end: "404"}
			c, a := setup(t, func(r *http.Request, n int) reply {
				answer := d.answer(r, n)
				number, _ := strconv.Atoi(r.URL.Query().Get("page"))
				answer.after = time.Second + time.Duration(number*37%11)*50*time.Millisecond // they overtake each other
				return answer
			})
			began := time.Now()
			ids, extent, err := listed(t, c, 8)
			if diff := cmp.Diff(everyUser(120), ids); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if want := (Extent{Whole: true, Named: 120, Pages: 40, Counted: true}); !cmp.Equal(want, extent) {
				t.Errorf("extent %+v", extent)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("40 pages of a second each took %v", took)
			}
			if a.count() != 40 {
				t.Errorf("%d requests", a.count())
			}
		})
	}
}

func TestPagesThatAreNotCountedAreReadOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := directory{pages: 6, size: 3, countsFrom: 1, context: `{"page":PAGE}`}
		var now, most atomic.Int64
		c, _ := setup(t, func(r *http.Request, n int) reply { return d.answer(r, n) })
		next := c.http
		c.http = tripper(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			_ = wait.For(r.Context(), time.Second)
			return next.RoundTrip(r)
		})
		if ids, extent, err := listed(t, c, 8); len(ids) != 18 || !extent.Whole || err != nil || most.Load() != 1 {
			t.Errorf("%d users, %+v, %v; %d at once", len(ids), extent, err, most.Load())
		}
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// chained answers pages that name each other by tokens, as about writes them.
func chained(pages int, about func(n int, next string) string) func(*http.Request, int) reply {
	return func(r *http.Request, _ int) reply {
		n := 0
		if asked := r.URL.Query().Get("page"); asked != "" {
			if _, err := fmt.Sscanf(asked, "t+%d/=", &n); err != nil || n >= pages {
				return reply{status: http.StatusBadRequest}
			}
		}
		next := ""
		if n+1 < pages {
			next = fmt.Sprintf("t+%d/=", n+1)
		}
		return pageOf(about(n, next), fmt.Sprintf("u%d", 2*n), fmt.Sprintf("u%d", 2*n+1))
	}
}

func TestATokenIsSentOnAsItIs(t *testing.T) {
	t.Parallel()
	for name, about := range map[string]func(n int, next string) string{
		"next":      func(_ int, next string) string { return `"next":"` + next + `"` },
		"nextPage":  func(_ int, next string) string { return `"nextPage":"` + next + `","total":10` },
		"nextToken": func(_ int, next string) string { return `"nextToken":"` + next + `","totalPages":5` },
		"cursor":    func(_ int, next string) string { return `"next":null,"cursor":"` + next + `"` },
		"beside hasNext": func(_ int, next string) string {
			return `"next":` + strconv.FormatBool(next != "") + `,"cursor":"` + next + `"`
		},
		"as an address": func(_ int, next string) string { return address("https://elsewhere.test/api/users?size=2", next) },
		"as a path":     func(_ int, next string) string { return address("/users?size=2", next) },
		"as a query":    func(_ int, next string) string { return address("?size=2", next) },
		"missing at the end": func(_ int, next string) string {
			if next == "" {
				return `"total":10`
			}
			return `"next":"` + next + `"`
		},
	} {
		c, a := setup(t, chained(5, about))
		ids, extent, err := listed(t, c, 8)
		if d := cmp.Diff(everyUser(10), ids); d != "" || err != nil || !extent.Whole || a.count() != 5 {
			t.Errorf("%s: %v, %+v after %q: %s", name, err, extent, a.queries(), d)
		}
		for _, r := range a.asked {
			if r.URL.Host != "finoos.test" {
				t.Errorf("%s: %s was asked", name, r.URL.Host)
			}
		}
	}
}

func address(base, token string) string {
	if token == "" {
		return `"next":null`
	}
	return `"next":"` + base + "&page=" + url.QueryEscape(token) + `"`
}

func TestTokensThatGoRoundEndTheList(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		about func(n int, next string) string
		whole bool

		requests int
	}{
		"the last names itself, and all have come": {func(n int, next string) string {
			if next == "" {
				next = fmt.Sprintf("t+%d/=", n)
			}
			return `"total":10,"next":"` + next + `"`
		}, true, 5},
		"the last names itself, and nobody tells": {func(n int, next string) string {
			if next == "" {
				next = fmt.Sprintf("t+%d/=", n)
			}
			return `"next":"` + next + `"`
		}, false, 5},
		"two name each other": {func(n int, _ string) string {
			return fmt.Sprintf(`"next":"t+%d/="`, []int{1, 2, 1, 0, 0}[n])
		}, false, 3},
		"two name each other, and it tells of more": {func(n int, _ string) string {
			return fmt.Sprintf(`"total":10,"next":"t+%d/="`, []int{1, 2, 1, 0, 0}[n])
		}, false, 6}, // twice
		"one is of no size": {func(int, string) string { return `"next":"` + strings.Repeat("t", maxToken+1) + `"` }, false, 1},
	} {
		c, a := setup(t, chained(5, test.about))
		ids, extent, err := listed(t, c, 8)
		if err != nil || extent.Whole != test.whole || len(ids) == 0 || a.count() > test.requests || extent.Whole != (extent.Reason == "") {
			t.Errorf("%s: %d users, %+v, %v after %d requests", name, len(ids), extent, err, a.count())
		}
	}
}

func TestAListThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request, int) reply{
		"the same users under tokens that are always new": func(_ *http.Request, n int) reply {
			return pageOf(fmt.Sprintf(`"next":"%d-"`, n), "a", "b")
		},
		"nobody under tokens that are always new": func(_ *http.Request, n int) reply {
			return pageOf(fmt.Sprintf(`"next":"%d-"`, n))
		},
		"nobody on a billion pages":          always(pageOf(`"page":1,"totalPages":1000000000`)),
		"somebody, then nobody on a billion": inTurn(pageOf(`"page":1,"totalPages":1000000000`, "a"), pageOf(`"totalPages":1000000000`)),
		"the same on a billion":              always(pageOf(`"page":1,"totalPages":1000000000`, "a", "b")),
	} {
		for _, ahead := range []int{1, 8} {
			c, a := setup(t, answer)
			_, extent, err := listed(t, c, ahead)
			if err != nil || a.count() > 2*(maxEmpty+10) || name != "nobody on a billion pages" && extent.Whole {
				t.Errorf("%s: %+v, %v after %d requests", name, extent, err, a.count())
			}
		}
	}
}

// A page in one of the ways in which none can be read.
func TestAPageThatCannotBeReadCostsItsUsersAlone(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]reply{
		"500": {status: 500}, "400": {status: 400}, "403": {status: 403}, "a web page": {body: "<html>"}, "cut off": {body: `{"users":[{"id":"u6"},`},
		"no list": {body: `{"message":"maintenance"}`}, "a text": {body: `"x"`},
	} {
		for _, about := range []string{`{"page":PAGE,"totalPages":ALL}`, `{"page":PAGE}`, `{"page":PAGE,"pageSize":SIZE,"total":TOTAL}`} {
			for _, ahead := range []int{1, 8} {
				d := directory{pages: 5, size: 3, countsFrom: 1, context: about}
				c, a := setup(t, func(r *http.Request, n int) reply {
					if r.URL.Query().Get("page") == "3" {
						return bad
					}
					return d.answer(r, n)
				}, patient)
				ids, extent, err := listed(t, c, ahead)
				want := slices.Delete(everyUser(15), 6, 9)
				if diff := cmp.Diff(want, ids); diff != "" || err != nil || extent.Whole || !strings.Contains(extent.Reason, "page 3") || extent.Named != 12 {
					t.Errorf("%s, %s: %+v, %v after %q: %s", name, about, extent, err, a.queries(), diff)
				}
			}
		}
	}
}

func TestTheFirstPageAndTheCredentialsAreNotDoneWithout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pages []reply
		class Class
	}{
		"the first fails":      {[]reply{{status: 500}}, Server},
		"the first is none":    {[]reply{{body: "<html>"}}, Malformed},
		"no list is there":     {[]reply{{body: `{"message":"maintenance"}`}}, Malformed},
		"the first is lost":    {[]reply{{status: 404}}, NotFound},
		"the token is refused": {[]reply{pageOf(`"page":1`, "a"), {status: 401}}, Auth},
	} {
		c, _ := setup(t, inTurn(test.pages...), patient)
		_, extent, err := listed(t, c, 8)
		if ClassOf(err) != test.class || extent.Whole {
			t.Errorf("%s: %v, %+v", name, err, extent)
		}
	}
}

func TestPastTheEndIsTheEndHoweverItIsSaid(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]reply{
		"an empty list": pageOf(``), "204": {status: 204}, "404": {status: 404}, "410": {status: 410}, "null": {body: `null`},
		"a list that is null": {body: `{"users":null}`}, "a list left out": {body: `{"context":{"page":3}}`}, "the last page": pageOf(``, "c"), "the first page": pageOf(``, "a", "b"),
	} {
		c, a := setup(t, inTurn(pageOf(`"page":1`, "a", "b"), pageOf(``, "c"), end), patient)
		ids, extent, err := listed(t, c, 8)
		if strings.Join(ids, " ") != "a b c" || err != nil || !extent.Whole || a.count() > 4 {
			t.Errorf("%s: %q, %+v, %v after %d requests", name, ids, extent, err, a.count())
		}
	}
}

func TestARefusedPageIsTheEndOnlyWhereTheOthersHoldAll(t *testing.T) {
	t.Parallel()
	for about, whole := range map[string]bool{
		``: false, `"total":3`: true, `"total":4`: false, `"total":3,"pageSize":2`: true, `"totalPages":2`: true, `"totalPages":2,"pageSize":1`: true, `"totalPages":4`: false,
	} {
		c, _ := setup(t, inTurn(pageOf(`"page":1,`+strings.Trim(about+`,"x":1`, ","), "a", "b"), pageOf(``, "c"), reply{status: 400}), patient)
		ids, extent, err := listed(t, c, 1)
		if strings.Join(ids, " ") != "a b c" || err != nil || extent.Whole != whole {
			t.Errorf("%s: %q, %+v, %v", about, ids, extent, err)
		}
	}
}

func TestARecordThatIsNoUserIsPutAside(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ record, why string }{
		"no id":            {`{"name":"x"}`, "missing"},
		"a null id":        {`{"id":null}`, "missing"},
		"an empty id":      {`{"id":""}`, "missing"},
		"a decimal id":     {`{"id":1.5}`, "no id"},
		"an object id":     {`{"id":{"v":"u"}}`, "type"},
		"a long id":        {`{"id":"` + strings.Repeat("L", 1025) + `"}`, "1024"},
		"a control id":     {`{"id":"\u001b[31mred"}`, "control"},
		"half a surrogate": {`{"id":"\ud800"}`, "UTF-8"},
		"wrong bytes":      {"{\"id\":\"a\xff\"}", "UTF-8"},
		"null":             {`null`, "type"},
		"a text":           {`"Niemand"`, "type"},
		"a list":           {`[{"id":"x"}]`, "type"},
		"a number":         {`7`, "type"},
		"nested too deep":  {`{"id":"x","y":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "deep"},
		"too large":        {`{"id":"x","y":[` + strings.Repeat(`"xxxxxxxxxxxxxxx",`, maxRecord/16) + `1]}`, "MiB"},
	} {
		for _, text := range []string{`[RECORD,{"id":"b"},{"id":"c"}]`, `[{"id":"b"},RECORD,{"id":"c"}]`, `[{"id":"b"},{"id":"c"},RECORD]`} {
			c, _ := setup(t, inTurn(pageOf(`"page":1`, "a"), reply{body: `{"context":{},"users":` + strings.ReplaceAll(text, "RECORD", test.record) + `}`}, pageOf("")))
			ids, extent, err := listed(t, c, 8)
			at := strings.Count(text[:strings.Index(text, "RECORD")], "id") + 1
			if strings.Join(ids, " ") != "a b c" || err != nil || !extent.Whole || extent.Aside != 1 || extent.Named != 3 {
				t.Errorf("%s: %q, %v, %+v", name, ids, err, extent)
				continue
			}
			if got := extent.First[0]; got.Page != 2 || got.Record != at || !strings.Contains(got.Why, test.why) || len(got.Why) > 120 {
				t.Errorf("%s: put aside %+v, want record %d", name, got, at)
			}
		}
	}
}

func TestAListIsComparedWithTheSmallestTotal(t *testing.T) {
	t.Parallel()
	page := func(number, total int, ids ...string) reply {
		return pageOf(fmt.Sprintf(`"page":%d,"pageSize":100,"totalPages":2,"total":%d`, number, total), ids...)
	}
	users := everyUser(200)
	for name, test := range map[string]struct {
		pages    []reply
		named    int64
		whole    bool
		requests int
	}{
		"all are there":                  {[]reply{page(1, 200, users[:100]...), page(2, 200, users[100:]...)}, 200, true, 2},
		"one of two hundred is not":      {[]reply{page(1, 200, users[:100]...), page(2, 200, users[100:199]...)}, 199, true, 2},
		"three are gone, and it says so": {[]reply{page(1, 200, users[:100]...), page(2, 197, users[100:197]...)}, 197, true, 2},
		"three come the second time": {[]reply{
			page(1, 200, users[:100]...), page(2, 200, users[103:]...), page(1, 200, users[:100]...), page(2, 200, users[100:]...),
		}, 200, true, 4},
		"three never come": {[]reply{
			page(1, 200, users[:100]...), page(2, 200, users[103:]...), page(1, 200, users[:100]...), page(2, 200, users[103:]...),
		}, 197, false, 4},
		"more than there are said to be": {[]reply{page(1, 100, users[:100]...), page(2, 100, users[100:]...), page(3, 100)}, 200, true, 3},
	} {
		c, a := setup(t, inTurn(append(test.pages, pageOf(""))...))
		ids, extent, err := listed(t, c, 1)
		if extent.Named != test.named || int64(len(ids)) != test.named || extent.Whole != test.whole || err != nil || a.count() > test.requests+1 {
			t.Errorf("%s: %d users, %+v, %v after %d requests", name, len(ids), extent, err, a.count())
		}
	}
}

func TestAListWithoutATotalThatMovesIsReadOnceMore(t *testing.T) {
	t.Parallel()
	c, a := setup(t, inTurn(
		pageOf(`"page":1`, "a", "b"), pageOf(``, "b", "d"), pageOf(``), // c changed places with b
		pageOf(`"page":1`, "a", "b"), pageOf(``, "c", "d"), pageOf(``),
	))
	ids, extent, err := listed(t, c, 1)
	if strings.Join(ids, " ") != "a b d c" || extent.Whole || err != nil || a.count() != 6 {
		t.Errorf("%q, %+v, %v after %d requests", ids, extent, err, a.count())
	}
}

func TestAnAnswerThatIsNestedTooDeeplyCostsNoOtherAnything(t *testing.T) {
	t.Parallel()
	deep := `[{"bankLoginId":"l","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}]`
	c, _ := setup(t, func(r *http.Request, _ int) reply {
		if strings.HasSuffix(r.URL.Path, "/users") {
			return pageOf(`"totalPages":1`, "a", "b")
		}
		return reply{body: deep}
	})
	for range 100 { // memory is used again, not always by the next
		l, err := c.Logins(t.Context(), testUser)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Each(func(*BankLogin) error { return nil }); ClassOf(err) != Malformed {
			t.Fatalf("%v, want a refusal of what is nested so deeply", err)
		}
		closeQuietly(l)
		if ids, extent, err := listed(t, c, 8); strings.Join(ids, " ") != "a b" || err != nil || !extent.Whole {
			t.Fatalf("%q, %+v, %v", ids, extent, err)
		}
	}
}
