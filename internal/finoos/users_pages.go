package finoos

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// usersPage is one page of users, checked as a whole, or why there is none.
type usersPage struct {
	list *List[User] // nil if there is none
	err  error

	ids        []uint64 // hashes of the ids, sorted
	info       pageInfo
	aside      []Aside // the first of those, without their page
	odd        int64   // how many they are
	unreadable int64   // fields
	absent     bool    // the answer says that there is no such page
}

// empty reports whether nothing stands on the page.
func (p *usersPage) empty() bool { return len(p.ids) == 0 && p.odd == 0 }

func (p *usersPage) close() {
	if p.list != nil {
		closeQuietly(p.list)
	}
}

// usersPage asks for one page; "" is for whichever is answered without a number.
func (c *Client) usersPage(ctx context.Context, page string) *usersPage {
	p := &usersPage{}
	var query url.Values
	if page != "" {
		query = url.Values{"page": {page}}
	}
	call, err := c.newCall(opUsers, "", "", query)
	if err == nil {
		p.list, err = list(ctx, c, call, userSchema, "users")
	}
	if err == nil {
		err = p.check()
	}
	p.err = err
	return p
}

// check goes through the page. A list that is null, or left out beside what is
// told of it, is an empty one.
func (p *usersPage) check() error {
	if len(p.list.parts) == 0 {
		p.absent = true
		return nil
	}
	p.list.aside = func(item int, why error) {
		if p.odd++; len(p.aside) < maxAsides {
			p.aside = append(p.aside, Aside{Record: item, Why: why.Error()})
		}
	}
	info, err := p.list.check(func(u User) {
		p.ids = append(p.ids, xxhash.Sum64String(u.ID))
		p.unreadable += int64(u.Unreadable)
	})
	p.list.aside = func(int, error) {}
	p.info = info
	slices.Sort(p.ids)
	if errors.Is(err, errNull) || errors.Is(err, errNoList) && info.told {
		p.absent = true
		p.close()
		p.list = nil
		return nil
	}
	return err
}

// shared counts the ids of a page that are on other too; both are sorted.
func shared(page, other []uint64) int {
	n := 0
	for _, id := range page {
		if _, found := slices.BinarySearch(other, id); found {
			n++
		}
	}
	return n
}

// pagesAhead asks for pages by their numbers, some at the same time, and hands
// them out in order. It has one user; its requests are goroutines of their own.
type pagesAhead struct {
	client *Client
	width  int // requests at the same time
	number int // to be asked for next
	asked  []chan *usersPage
}

// next returns the page whose turn it is, nil where all below end have been. It
// asks for those below end in advance.
func (a *pagesAhead) next(ctx context.Context, end int) *usersPage {
	for len(a.asked) < a.width && a.number < end {
		answer, page := make(chan *usersPage, 1), strconv.Itoa(a.number)
		go func() { answer <- a.client.usersPage(ctx, page) }()
		a.asked = append(a.asked, answer)
		a.number++
	}
	if len(a.asked) == 0 {
		return nil
	}
	page := <-a.asked[0]
	a.asked = a.asked[1:]
	return page
}

// drain waits for what was asked for in vain; its context has ended.
func (a *pagesAhead) drain() {
	for _, answer := range a.asked {
		(<-answer).close()
	}
	a.asked = nil
}
