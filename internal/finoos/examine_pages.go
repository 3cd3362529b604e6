package finoos

import (
	"context"
	"slices"
	"time"
)

// Paging is how the listing of users counts its pages.
type Paging struct {
	// First is the number of the first page; not valid where the answers do not
	// show it, as when all users fit on one page.
	First Null[int]
	// Told says that the first page tells its number itself.
	Told bool
	// Users is how many the first page has, Total how many there are, if the
	// API tells.
	Users int
	Total Null[int]
	// Pages is how many pages there are, if Counted: they can be read side by side
	// then. Tokens says that each names the next one instead.
	Pages           int
	Counted, Tokens bool
	// Aside is how many records of the first page are no users, Latency how long
	// its answer took.
	Aside   int
	Latency time.Duration
	// Sample is the id of a user of the first page, "" if there is none.
	Sample string
}

// ExaminePages asks for the first page of users, and for the pages 0 and 1, and
// compares them. It makes three requests at most, and one if there are no users.
func (c *Client) ExaminePages(ctx context.Context) (Paging, error) {
	var p Paging
	began := time.Now()
	first := c.usersPage(ctx, "")
	p.Latency = time.Since(began)
	defer first.close()
	if first.err != nil {
		return p, first.err
	}
	p.Users, p.Aside, p.Total, p.Told = len(first.ids), int(first.odd), first.info.total, first.info.page.Valid
	p.Pages, p.Counted = first.info.pages()
	p.Tokens = first.info.token() != "" && !first.info.page.Valid
	if first.list != nil {
		for u, err := range first.list.All() {
			if err == nil {
				p.Sample = u.ID
			}
			break
		}
	}
	switch {
	case len(first.ids) == 0 || p.Tokens:
		return p, nil
	case first.info.page.Valid && (first.info.page.V == 0 || first.info.page.V == 1):
		p.First = first.info.page
		return p, nil
	}
	zero, one := c.usersPage(ctx, "0"), c.usersPage(ctx, "1")
	defer zero.close()
	defer one.close()
	switch {
	case one.err == nil && slices.Equal(one.ids, first.ids):
		p.First = Null[int]{V: 1, Valid: true}
	case zero.err == nil && slices.Equal(zero.ids, first.ids):
		p.First = Null[int]{Valid: true}
	}
	return p, nil
}
