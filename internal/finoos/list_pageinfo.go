package finoos

import (
	"bytes"
	"net/url"
	"strings"
)

// pageMembers are the members beside a list that tell about its pages.
var pageMembers = []string{"context", "metadata"}

// pageInfo is what an answer tells about the pages of its listing. All of it
// is a reading of ours (G): an unknown or wrong field is not known, no error.
type pageInfo struct {
	page, pageSize, totalPages, total Null[int]

	next, nextPage, nextToken, cursor string // what to ask for next, see token
	told                              bool   // there is such a member at all
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
