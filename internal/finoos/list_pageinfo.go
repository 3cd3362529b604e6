package finoos

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
)

// pageMembers are the members beside a list that tell about its pages.
var pageMembers = []string{"context", "metadata"}

// pageInfo is what an answer tells about the pages of its listing. All of it
// is a reading of ours (G): an unknown or wrong field is not known, no error.
type pageInfo struct {
	page, pageSize, totalPages, total Null[int]

	next, nextPage, nextToken, cursor string // what to ask for next, see token
	told                              bool   // there is such a member at all

	records int // that the answer holds; not told, but counted where it was gone through
}

var pageInfoSchema = newSchema("context", nil,
	count("page", func(p *pageInfo) *Null[int] { return &p.page }),
	count("pageSize", func(p *pageInfo) *Null[int] { return &p.pageSize }),
	count("totalPages", func(p *pageInfo) *Null[int] { return &p.totalPages }),
	count("total", func(p *pageInfo) *Null[int] { return &p.total }),
	text("next", func(p *pageInfo) *string { return &p.next }),
	text("nextPage", func(p *pageInfo) *string { return &p.nextPage }),
	text("nextToken", func(p *pageInfo) *string { return &p.nextToken }),
	text("cursor", func(p *pageInfo) *string { return &p.cursor }),
)

// pageInfoOf reads the member that tells about pages, which may be missing.
func pageInfoOf(v value) pageInfo {
	if v.kind() != kindObject {
		return pageInfo{}
	}
	d := newDecoder()
	info, err := pageInfoSchema.decode(d, v)
	if err != nil {
		return pageInfo{}
	}
	d.release()
	info.told = true
	return info
}

// token is what the answer wants to be sent as `page` next, "" if nothing. Of an
// address it is only that parameter: nobody is followed to another host.
func (i pageInfo) token() string {
	for _, t := range []string{i.next, i.nextPage, i.nextToken, i.cursor} {
		switch {
		case t == "", t == "true", t == "false":
			continue
		case strings.Contains(t, "://"), strings.Contains(t, "?"):
			if u, err := url.Parse(t); err != nil {
				t = ""
			} else {
				t = u.Query().Get("page")
			}
		}
		if t != "" {
			return t
		}
	}
	return ""
}

// pages is the number of pages, if it is told in one way or another.
func (i pageInfo) pages() (int, bool) {
	switch {
	case i.totalPages.V > 0:
		return i.totalPages.V, true
	case i.total.V > 0 && i.pageSize.V > 0:
		return (i.total.V + i.pageSize.V - 1) / i.pageSize.V, true
	}
	return 0, false
}

// maxPageInfo is up to which size the member is looked for at the end of an
// answer, without reading the rest.
const maxPageInfo = 512

// lastMember returns the value of the member that an answer ends with, if it has
// that name, letter by letter, and the answer is an object and JSON at all: tail
// is the answer's end.
//
// That is so because a quote that no backslash stands before begins or ends a
// text, and what follows the end of a text is no letter. So the name is a whole
// text, with a colon a name, and belongs to the object that the answer ends with.
func lastMember(tail []byte, name string) (v value, ok bool) {
	at := bytes.LastIndex(tail, []byte(`"`+name+`"`))
	if at < 1 || tail[at-1] == '\\' {
		return v, false
	}
	rest, isMember := bytes.CutPrefix(bytes.TrimSpace(tail[at+len(name)+2:]), []byte(":"))
	rest, isLast := bytes.CutSuffix(rest, []byte("}"))
	if !isMember || !isLast {
		return v, false
	}
	if v, ok = parseValue(rest); v.kind() == kindArray {
		return value{}, false // a list is no such member, as a stream has it
	}
	return v, ok
}

func nameIn(name string, names []string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// totals compares what lists tell of themselves with what they hold. That `total`
// counts the records of a list is a guess of ours: an operation's is believed once
// it was right for enough users. It guards itself.
type totals struct {
	log *slog.Logger

	mu sync.Mutex
	of map[string]*toldTotals
}

// toldTotals are those of one operation.
type toldTotals struct {
	right map[string]bool // users for whom it was right, as many as it takes
	off   int64           // users for whom it was not
	last  string          // of these
}

// enoughRight is for how many users a total must have been right.
const enoughRight = 3

var errShort = errors.New("holds less than it tells")

// IsShort reports whether an answer was malformed in that it holds fewer records
// than it tells, where that could be relied on so far. It may be whole when it is
// read again.
func IsShort(err error) bool { return errors.Is(err, errShort) }

// compare takes in what a list tells and holds. An error is one of malformed answers.
func (t *totals) compare(call *apiCall, told, records int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of[call.op.Name]
	if of == nil {
		of = &toldTotals{right: map[string]bool{}}
		if t.of == nil {
			t.of = map[string]*toldTotals{}
		}
		t.of[call.op.Name] = of
	}
	switch {
	case told == records:
		if told > 0 && len(of.right) < enoughRight { // that nothing is nothing says little
			of.right[call.userID] = true
		}
		return nil
	case records < told && len(of.right) >= enoughRight:
		return call.unreadable(fmt.Errorf("%w: %d of %d records", errShort, records, told))
	case of.last == call.userID: // another look at the same
		return nil
	}
	if of.off++; of.off == 1 {
		t.log.Warn("a list tells of another number of records than it holds: that is not relied on",
			slog.String("operation", call.op.Name), slog.Int("told", told), slog.Int("records", records))
	}
	of.last = call.userID
	return nil
}

// off counts, by operation, the users for whom a total was not right, and no error.
func (t *totals) off() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var off map[string]int64
	for op, of := range t.of {
		if of.off > 0 {
			if off == nil {
				off = map[string]int64{}
			}
			off[op] = of.off
		}
	}
	return off
}
