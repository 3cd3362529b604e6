package finoos

import "strings"

// pageMembers are the members beside a list that tell about its pages.
var pageMembers = []string{"context", "metadata"}

// pageInfo is what an answer tells about the pages of its listing. All of it
// is a reading of ours (G): an unknown or wrong field is not known, no error.
type pageInfo struct {
	page, pageSize, totalPages, total Null[int]
}

var pageInfoSchema = newSchema("context", nil,
	count("page", func(p *pageInfo) *Null[int] { return &p.page }),
	count("pageSize", func(p *pageInfo) *Null[int] { return &p.pageSize }),
	count("totalPages", func(p *pageInfo) *Null[int] { return &p.totalPages }),
	count("total", func(p *pageInfo) *Null[int] { return &p.total }),
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
	return info
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

func nameIn(name string, names []string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
