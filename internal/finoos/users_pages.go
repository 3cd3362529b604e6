package finoos

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// maxPages is where a listing that never ends is given up.
const maxPages = 200_000

var errEndless = errors.New("the pages do not end")

// Users returns the users of the tenant, page by page. The same user may come
// twice while users come and go, since the order of pages is not promised.
//
// The number of the first page is [Config.FirstPage]. Where that is auto, the
// first page is asked for without a number; if the answer does not tell the
// page's number, page 1 is asked for next, and brings nobody new where pages
// count from 1. Either way page 2 follows.
//
// The listing ends at an empty page, a 204, a 404 after the first page, or a
// page all of whose users were on the page before it or on the first one. It
// also ends, to save a request, where the answer tells the number of pages and
// that is reached; an answer with more users than its page size contradicts
// itself, and is not trusted with that.
//
// A page is checked as a whole before the first of its users is returned. An
// error ends the listing.
func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		pages := c.userPages()
		for !pages.ended {
			page, err := pages.next(ctx)
			if err != nil {
				yield(User{}, err)
				return
			}
			more := pages.each(page, yield)
			_ = page.Close()
			if !more {
				return
			}
		}
	}
}

// userPages is the state of one listing: of the pages that still matter the
// hashes of their ids, sorted, whatever the number of users.
type userPages struct {
	client *Client
	number Null[int] // of the next page; unknown = ask without one
	read   int       // pages so far
	differ int       // of these, pages that surely differ
	ended  bool

	first, before, last []uint64
}

func (c *Client) userPages() *userPages {
	p := &userPages{client: c}
	if n, err := strconv.Atoi(c.cfg.FirstPage); err == nil {
		p.number = Null[int]{V: n, Valid: true}
	}
	return p
}

// next returns the next page, which is empty at the end.
func (p *userPages) next(ctx context.Context) (*List[User], error) {
	page, err := p.client.usersPage(ctx, p.number)
	switch {
	case err == nil:
	case ClassOf(err) == NotFound && p.read > 0:
		p.ended = true
		return newList[User](nil, nil), nil
	default:
		return nil, err
	}
	ids := make([]uint64, 0, len(p.last))
	info, err := page.check(func(u User) { ids = append(ids, xxhash.Sum64String(u.ID)) })
	if err == nil && p.read == maxPages {
		err = page.call.unreadable(errEndless)
	}
	if err != nil {
		_ = page.Close()
		return nil, err
	}
	slices.Sort(ids)
	p.turn(ids, info)
	return page, nil
}

// turn notes the page just read, and decides what follows.
func (p *userPages) turn(ids []uint64, info pageInfo) {
	p.read++
	p.before, p.last = p.last, ids
	if p.read == 1 {
		p.first = ids
	}
	// After the first page comes page 1, unless it was page 1 itself. As the
	// numbers are our reading only, page 1 may still be the first page again:
	// that is no end then, and does not count as another page.
	second := p.read == 2 && p.number.V == 1
	common := shared(ids, p.before)
	if !second || common == 0 {
		p.differ++
	}
	pages, told := info.pages()
	overfull := info.pageSize.V > 0 && len(ids) > info.pageSize.V
	switch {
	case len(ids) == 0:
		p.ended = true
	case p.read > 1 && !second && (common == len(ids) || shared(ids, p.first) == len(ids)):
		p.ended = true
		p.before = ids // nobody new
	case told && !overfull && p.differ >= pages:
		p.ended = true
	}
	p.number = p.following(info)
}

// following is the number of the next page. What the answer says of its own
// number counts only where none was asked for.
func (p *userPages) following(info pageInfo) Null[int] {
	next := p.number.V + 1
	if !p.number.Valid && info.page.Valid {
		next = info.page.V + 1
	}
	return Null[int]{V: next, Valid: true}
}

// each hands out the users of the page just read that were not on the one
// before it.
func (p *userPages) each(page *List[User], yield func(User, error) bool) bool {
	for u, err := range page.All() {
		if err == nil && contains(p.before, xxhash.Sum64String(u.ID)) {
			continue
		}
		if !yield(u, err) || err != nil {
			return false
		}
	}
	return true
}

// shared counts the ids of page that are on other too; both are sorted.
func shared(page, other []uint64) int {
	n := 0
	for _, id := range page {
		if contains(other, id) {
			n++
		}
	}
	return n
}

func contains(sorted []uint64, id uint64) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}

// usersPage asks for one page.
func (c *Client) usersPage(ctx context.Context, number Null[int]) (*List[User], error) {
	var query url.Values
	if number.Valid {
		query = url.Values{"page": {strconv.Itoa(number.V)}}
	}
	call, err := c.newCall(opUsers, "", "", query)
	if err != nil {
		return nil, err
	}
	return list(ctx, c, call, userSchema, "users")
}
