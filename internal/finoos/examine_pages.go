package finoos

import (
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"
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
	// Sample is the id of a user of the first page, "" if there is none.
	Sample string
}

// ExaminePages asks for the first page of users, and for the pages 0 and 1, and
// compares them. It makes three requests at most, and one if there are no users.
func (c *Client) ExaminePages(ctx context.Context) (Paging, error) {
	var p Paging
	first, info, err := c.pageIDs(ctx, Null[int]{}, &p.Sample)
	if err != nil {
		return p, err
	}
	p.Users, p.Total, p.Told = len(first), info.total, info.page.Valid
	switch {
	case len(first) == 0:
		return p, nil
	case info.page.Valid && (info.page.V == 0 || info.page.V == 1):
		p.First = info.page
		return p, nil
	}
	zero, _, errZero := c.pageIDs(ctx, Null[int]{Valid: true}, nil)
	one, _, errOne := c.pageIDs(ctx, Null[int]{V: 1, Valid: true}, nil)
	switch {
	case errOne == nil && slices.Equal(one, first):
		p.First = Null[int]{V: 1, Valid: true}
	case errZero == nil && slices.Equal(zero, first):
		p.First = Null[int]{Valid: true}
	}
	return p, nil
}

// pageIDs asks for one page of users, once, and returns the hashes of their ids.
func (c *Client) pageIDs(ctx context.Context, number Null[int], sample *string) ([]uint64, pageInfo, error) {
	page, err := c.usersPage(ctx, number)
	if err != nil {
		return nil, pageInfo{}, err
	}
	defer closeQuietly(page)
	var ids []uint64
	info, err := page.check(func(u User) {
		ids = append(ids, xxhash.Sum64String(u.ID))
		if sample != nil && *sample == "" {
			*sample = u.ID
		}
	})
	return ids, info, err
}
