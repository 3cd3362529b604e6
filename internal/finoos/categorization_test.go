package finoos

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tagsPage(about string, ids ...string) reply {
	entries := []string{}
	for _, id := range ids {
		entries = append(entries, `{"transactionId":"`+id+`","tags":["x"]}`)
	}
	return reply{body: `{"categorization":[` + strings.Join(entries, ",") + `],"metaData":{` + about + `}}`}
}

func nullPage(about string) reply {
	return reply{body: `{"categorization":null,"metaData":{` + about + `}}`}
}

func TestPagesOfCategorizationMakeOneList(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pages   []reply
		ids     string
		queries []string
	}{
		"one page": {[]reply{tagsPage(``, "a", "b")}, "a b", []string{""}},
		"no list":  {[]reply{{status: 204}}, "", []string{""}},
		"told": {
			[]reply{tagsPage(`"page":1,"totalPages":3`, "a"), tagsPage(`"page":2,"totalPages":3`, "b"), tagsPage(``, "c")},
			"a b c",
			[]string{"", "page=2", "page=3"},
		},
		"counted from 0": {[]reply{tagsPage(`"page":0,"totalPages":2`, "a"), tagsPage(``, "b")}, "a b", []string{"", "page=1"}},
		"number not told, counted from 1": {
			[]reply{tagsPage(`"total":4,"pageSize":2`, "a", "b"), tagsPage(`"total":4,"pageSize":2`, "b", "a"), tagsPage(``, "c", "d")},
			"a b c d",
			[]string{"", "page=1", "page=2"},
		},
		"number not told, counted from 0": {
			[]reply{tagsPage(`"total":4,"pageSize":2`, "a", "b"), tagsPage(``, "c", "d")}, "a b c d", []string{"", "page=1"},
		},
		"fewer than told": {[]reply{tagsPage(`"page":1,"totalPages":3`, "a"), tagsPage(``)}, "a", []string{"", "page=2", "page=3"}},
		"a gap":           {[]reply{tagsPage(`"page":1,"totalPages":3`, "a"), tagsPage(``), tagsPage(``, "c")}, "a c", []string{"", "page=2", "page=3"}},
		"a gap at first":  {[]reply{tagsPage(`"page":1,"totalPages":2`), tagsPage(``, "b")}, "b", []string{"", "page=2"}},
		"a gap of 204":    {[]reply{tagsPage(`"page":1,"totalPages":3`, "a"), {status: 204}, tagsPage(``, "c")}, "a c", []string{"", "page=2", "page=3"}},
		"a gap of null": {
			[]reply{nullPage(`"page":1,"totalPages":3`), nullPage(`"totalPages":3`), tagsPage(``, "c")}, "c", []string{"", "page=2", "page=3"},
		},
		"two gaps, counted from 0": {
			[]reply{tagsPage(`"page":0,"totalPages":4`, "a"), tagsPage(``), tagsPage(``), tagsPage(``, "b")},
			"a b",
			[]string{"", "page=1", "page=2", "page=3"},
		},
		"only the records told, in pages that the server cuts shorter": {
			[]reply{tagsPage(`"page":1,"pageSize":100,"total":3`, "a"), tagsPage(``, "b"), tagsPage(``, "c")},
			"a b c",
			[]string{"", "page=2", "page=3"},
		},
		"too many records told": {
			[]reply{tagsPage(`"page":1,"pageSize":1,"total":3`, "a"), tagsPage(``, "b"), tagsPage(``), {status: 500}},
			"a b",
			[]string{"", "page=2", "page=3"},
		},
		"only the size of pages told": {
			[]reply{tagsPage(`"page":1,"pageSize":2`, "a", "b"), tagsPage(`"pageSize":2`, "c")}, "a b c", []string{"", "page=2"},
		},
		"the end is a 404": {[]reply{tagsPage(`"page":1,"pageSize":2`, "a", "b"), {status: 404}}, "a b", []string{"", "page=2"}},
		"the end is a 400": {[]reply{tagsPage(`"page":1,"pageSize":2`, "a", "b"), {status: 400}}, "a b", []string{"", "page=2"}},
		"the end is null":  {[]reply{tagsPage(`"page":1,"pageSize":2`, "a", "b"), {body: `null`}}, "a b", []string{"", "page=2"}},
		"the end is nothing": {
			[]reply{tagsPage(`"page":1,"pageSize":2`, "a", "b"), {body: `{}`}}, "a b", []string{"", "page=2"},
		},
		"the end is the last page again": {
			[]reply{tagsPage(`"page":1,"pageSize":2`, "a", "b"), tagsPage(``, "c", "d"), tagsPage(``, "d", "c")},
			"a b c d",
			[]string{"", "page=2", "page=3"},
		},
		"the end is a 404, and told is more": {
			[]reply{tagsPage(`"page":1,"totalPages":4`, "a", "b"), tagsPage(``, "c"), {status: 404}}, "a b c", []string{"", "page=2", "page=3"},
		},
		"a page tells of fewer": {
			[]reply{tagsPage(`"page":1,"totalPages":3`, "a"), tagsPage(`"totalPages":1`, "b"), tagsPage(``, "c")},
			"a b c",
			[]string{"", "page=2", "page=3"},
		},
		"more than told at first": {
			[]reply{tagsPage(`"page":1,"totalPages":2`, "a"), tagsPage(`"totalPages":3`, "b"), tagsPage(``, "c")},
			"a b c",
			[]string{"", "page=2", "page=3"},
		},
	} {
		c, a := setup(t, inTurn(test.pages...))
		l, err := c.Categorization(t.Context(), testUser, "")
		ids := []string{}
		for _, entry := range all(t, l, err) {
			ids = append(ids, entry.TransactionID)
		}
		if d := cmp.Diff(strings.Fields(test.ids), ids); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if d := cmp.Diff(test.queries, a.queries()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestDiffOfCategorizationNamesItsCorrelationOnEveryPage(t *testing.T) {
	t.Parallel()
	c, a := setup(t, inTurn(tagsPage(`"page":1,"totalPages":2`, "a"), tagsPage(``, "b")))
	l, err := c.Categorization(t.Context(), testUser, "c-1")
	all(t, l, err)
	if d := cmp.Diff([]string{"correlation-id=c-1", "correlation-id=c-1&page=2"}, a.queries()); d != "" {
		t.Error(d)
	}
}

func TestIncompleteCategorizationIsAnError(t *testing.T) {
	t.Parallel()
	first := tagsPage(`"page":1,"totalPages":3`, "a")
	for name, test := range map[string]struct {
		pages []reply
		class Class
	}{
		"unknown correlation":  {[]reply{{status: 400}}, Invalid},
		"page is ignored":      {[]reply{first, first}, Malformed},
		"gone in between":      {[]reply{first, {status: 404}}, NotFound},
		"malformed further on": {[]reply{first, {body: `{"error":"busy"}`}}, Malformed},
		"nothing further on":   {[]reply{first, {body: `{}`}}, Malformed},
		"null further on":      {[]reply{first, {body: `null`}}, Malformed},
		"it ends in a circle": {
			[]reply{tagsPage(`"page":1,"totalPages":9`, "a"), tagsPage(``, "b"), tagsPage(``, "a")}, Malformed,
		},
		"gone at a full page's end": {[]reply{first, tagsPage(``, "b"), {status: 404}}, NotFound},
		"no JSON":                   {[]reply{{body: `{"categorization":[{},]}`}}, Malformed},
	} {
		b := newBudget(10 * chunkSize)
		c, _ := setup(t, inTurn(test.pages...), func(cfg *Config) { cfg.Budget = b })
		if _, err := c.Categorization(t.Context(), testUser, "c"); ClassOf(err) != test.class || b.held.Load() != 0 {
			t.Errorf("%s: %v, %d held", name, err, b.held.Load())
		}
	}
}

// Entries are looked at once, when they are read.
func TestAMalformedEntryOfCategorizationEndsItsReading(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, inTurn(reply{body: `{"categorization":[{"transactionId":"a","tags":[]},{}]}`}))
	l, err := c.Categorization(t.Context(), testUser, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(l)
	n := 0
	err = l.Each(func(*Categorization) error { n++; return nil })
	if ClassOf(err) != Malformed || n != 1 {
		t.Errorf("%d entries, then %v", n, err)
	}
}

// A list moves while it is read: who is on two pages has taken the place of
// somebody who is on none.
func TestCategorizationThatMovesIsReadOnceMore(t *testing.T) {
	t.Parallel()
	page := func(n int, ids ...string) reply {
		return tagsPage(fmt.Sprintf(`"page":%d,"totalPages":2`, n), ids...)
	}
	for name, test := range map[string]struct {
		pages []reply
		ids   string // joined by a comma
	}{
		"it rests then":        {[]reply{page(1, "a", "b"), page(2, "b", "d"), page(1, "a", "b"), page(2, "c", "d")}, "a,b,c,d"},
		"it repeats by nature": {[]reply{page(1, "a", "b"), page(2, "b", "d"), page(1, "a", "b"), page(2, "b", "d")}, "a,b,b,d"},
		"on one page":          {[]reply{page(1, "a", "a"), page(2, "b", "d")}, "a,a,b,d"},
	} {
		b := newBudget(10 * chunkSize)
		c, a := setup(t, inTurn(test.pages...), func(cfg *Config) { cfg.Budget = b })
		l, err := c.Categorization(t.Context(), testUser, "")
		ids := []string{}
		for _, entry := range all(t, l, err) {
			ids = append(ids, entry.TransactionID)
		}
		if d := cmp.Diff(strings.Split(test.ids, ","), ids); d != "" || a.count() != len(test.pages) || b.held.Load() != 0 {
			t.Errorf("%s: %d requests, %d held %s", name, a.count(), b.held.Load(), d)
		}
	}
}
