package finoos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Where a listing is given up that does not end by itself.
const (
	maxPages  = 200_000
	maxEmpty  = 50 // empty pages in a row, although there are said to be more
	maxStale  = 3  // pages in a row that bring nobody new
	maxFailed = 5  // pages in a row, or as many as are asked for at the same time
	maxToken  = 4096
)

// UserListing is one listing of the users of the tenant. It is for one goroutine.
type UserListing struct {
	client *Client
	o      ListOptions
	extent Extent

	named map[uint64]struct{} // hashes of all ids so far
	total Null[int]           // the smallest that a page told
	why   []string            // that it is not whole, whatever the total
	doubt string              // that it is not, unless there are as many as the total
	moved int64               // ids that came on two pages, in the last reading
	most  int                 // the greatest total, in the last reading
	fell  int                 // by how much a later one was smaller
}

// Users returns the users of the tenant, one page after the other: see
// [Client.ListUsers].
func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] {
	return c.ListUsers(ListOptions{}).All(ctx)
}

// ListUsers makes a listing of the users of the tenant, which asks for nothing
// before [UserListing.All] is ranged over.
func (c *Client) ListUsers(o ListOptions) *UserListing {
	return &UserListing{client: c, o: o}
}

// Extent tells how complete the list is. It is known at its end; a listing that
// was left early or ended in an error is not whole.
func (l *UserListing) Extent() Extent { return l.extent }

// All lists the users, each once, in the order of the pages.
//
// The number of the first page is [Config.FirstPage]. Where that is auto, the
// first page is asked for without a number; if the answer does not tell the
// page's number, page 1 is asked for next, and brings nobody new where pages
// count from 1. Either way page 2 follows. Where an answer names the page that
// comes next by a token, that is sent as it is instead.
//
// The listing goes as far as the answers tell that there are pages, whatever is
// on them, and beyond as long as their totals tell of more users. Where neither
// is told, it ends at a page that is empty or not there, or one that brings back
// the page before it or the first one.
//
// A page is checked as a whole before the first of its users is returned. One
// that cannot be read costs its users, and the listing goes on with the others;
// [UserListing.Extent] tells. Refused credentials, and a first page that cannot
// be read, are an error, which ends the listing.
//
// A list that is more than one part in a hundred short of its smallest total is
// read once more. So is one whose total falls by as much meanwhile, since who
// leaves makes others change pages, or one without a total on which as many users
// came twice. Only who was not on it the first time is returned then.
func (l *UserListing) All(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		l.extent, l.named = Extent{Reason: "it was not read to its end"}, map[uint64]struct{}{}
		l.total, l.why, l.doubt = Null[int]{}, nil, ""
		defer func() { l.named = nil }()
		if !l.read(ctx, yield) {
			return
		}
		if len(l.why) == 0 && (l.short() || l.moves() || 100*l.fell > l.most) {
			before := l.extent.Named
			if !l.read(ctx, yield) {
				return
			}
			if l.moves() || !l.believed() && 100*(l.extent.Named-before) > l.extent.Named {
				l.why = append(l.why, "users move between its pages while it is read")
			}
		}
		l.judge()
	}
}

// short reports whether more than one user in a hundred is missing. A record that
// is none stands for one, unless users moved.
func (l *UserListing) short() bool {
	missing := int64(l.total.V) - l.extent.Named
	if l.moved == 0 {
		missing -= l.extent.Aside
	}
	return l.total.Valid && 100*missing > int64(l.total.V)
}

// moves reports whether, in the last reading, so many users came twice that others
// may not have come at all, and there is no total to tell.
func (l *UserListing) moves() bool {
	return !l.believed() && 100*l.moved > l.extent.Named
}

// believed reports whether there is a total that is not refuted by the list.
func (l *UserListing) believed() bool {
	return l.total.Valid && l.extent.Named <= int64(l.total.V)
}

func (l *UserListing) judge() {
	switch {
	case l.short():
		l.why = append(l.why, fmt.Sprintf("it names %d users, and tells of %d", l.extent.Named, l.total.V))
	case l.doubt != "" && !l.total.Valid:
		l.why = append(l.why, l.doubt)
	}
	l.extent.Whole, l.extent.Reason = len(l.why) == 0, strings.Join(l.why, "; ")
}

// read reads the list once. It reports whether it came to the end.
func (l *UserListing) read(ctx context.Context, yield func(User, error) bool) bool {
	ctx, cancel := context.WithCancel(ctx)
	r := &listReading{of: l, again: l.extent.Pages > 0, seen: l.named, ahead: pagesAhead{client: l.client, width: 1}}
	defer r.ahead.drain()
	defer cancel()
	if r.again {
		r.seen = map[uint64]struct{}{}
	}
	l.moved, l.most, l.fell = 0, 0, 0
	for !r.ended {
		page := r.next(ctx)
		if page == nil {
			break
		}
		r.asked++
		if r.isPastEnd(ClassOf(page.err)) {
			page = &usersPage{absent: true}
		}
		if page.err != nil {
			page.close()
			if err := r.failed(ctx, page.err); err != nil {
				yield(User{}, err)
				return false
			}
			continue
		}
		r.turn(page)
		more := r.each(page, yield)
		page.close()
		if !more {
			return false
		}
	}
	l.extent.Aside, l.extent.Unreadable = max(l.extent.Aside, r.odd), max(l.extent.Unreadable, r.unreadable)
	if len(r.failures) > 0 {
		l.why = append(l.why, fmt.Sprintf("%d of its pages cannot be read, the first: page %d: %s", len(r.failures), r.failures[0].page, r.failures[0].class))
	}
	return true
}

// listReading is one way through the list.
type listReading struct {
	of    *UserListing
	again bool // somebody has been here before
	ahead pagesAhead
	ended bool

	// How pages are called.
	first    Null[int] // number of the first page
	settling bool      // page 1 is asked for to find that out
	token    string    // of the next page, where pages have such
	tokens   map[uint64]struct{}

	// How many there are.
	pages int // as told
	extra int // beyond these

	asked       int // so far, as pages are counted in [Aside]
	read        int // of these, such as surely differ
	empty       int // in a row
	stale       int
	refused     int // as wrong requests
	failures    []failedPage
	inRow       int // failures
	start, last []uint64
	brought     bool // the last page brought somebody new
	full        bool // and it was as full as they get
	overfull    bool // some page held more than its size

	seen            map[uint64]struct{} // ids, in this reading
	came            int64               // how many
	odd, unreadable int64
}

type failedPage struct {
	page  int
	class Class
}

// next asks for the next page, nil at the end of what is known to be there.
func (r *listReading) next(ctx context.Context) *usersPage {
	c := r.of.client
	switch {
	case r.asked == 0:
		page := ""
		if n, err := strconv.Atoi(c.cfg.FirstPage); err == nil {
			r.first = Null[int]{V: n, Valid: true}
			page = c.cfg.FirstPage
		}
		return c.usersPage(ctx, page)
	case r.token != "":
		return c.usersPage(ctx, r.token)
	}
	return r.ahead.next(ctx, r.end())
}

// end is the number behind the last page that may be asked for now.
func (r *listReading) end() int {
	switch {
	case r.settling:
		return 2
	case r.pages > 0:
		return r.first.V + min(r.pages+r.extra, maxPages)
	}
	return r.first.V + min(r.read+len(r.failures)+1, maxPages)
}

// isPastEnd reports whether a refusal says that there is no such page. A wrong
// request is that only behind all pages that are told.
func (r *listReading) isPastEnd(class Class) bool {
	behind := r.pages > 0 && r.token == "" && r.read+len(r.failures) >= r.pages
	return r.asked > 1 && (class == NotFound || class == Invalid && behind)
}

// missing is how many users have not come that the smallest total tells of.
func (r *listReading) missing() (n int64, told bool) {
	return int64(r.of.total.V) - r.came - r.odd, r.of.total.Valid
}

// failed notes a page that cannot be read. Its error ends the listing.
func (r *listReading) failed(ctx context.Context, err error) error {
	class := ClassOf(err)
	if r.asked == 1 && !r.again || ctx.Err() != nil || class == "" || class == Auth {
		return err
	}
	r.failures = append(r.failures, failedPage{r.asked, class})
	r.settle(false)
	r.inRow++
	if class == Invalid {
		r.refused++
	}
	switch {
	case r.pages == 0 && r.refused == 2 && r.inRow == 2:
		r.ended = true
		if missing, told := r.missing(); told && missing <= 0 {
			r.failures = r.failures[:len(r.failures)-2] // that is how it says that there is no such page
		}
	case r.token != "", r.asked == 1:
		r.ended = true // nobody knows what comes next
	case r.inRow >= max(maxFailed, r.ahead.width), r.pages == 0 && r.inRow >= maxStale:
		r.ended = true
	}
	return nil
}

// turn notes the page just read, and decides what follows.
func (r *listReading) turn(p *usersPage) {
	r.of.extent.Pages++
	common := shared(p.ids, r.last)
	returns := len(p.ids) > 0 && (common == len(p.ids) || shared(p.ids, r.start) == len(p.ids))
	fresh := r.note(p, returns)
	second := r.settling
	if second {
		r.settle(common == 0)
	}
	if !second || common == 0 {
		r.read++
	}
	r.inRow, r.refused = 0, 0
	if r.asked == 1 {
		r.start = p.ids
	}
	r.last = p.ids
	r.count(p, fresh, second)
	if pages, told := p.info.pages(); told && !p.empty() {
		r.pages = max(r.pages, pages)
		r.of.extent.Counted = true
		r.ahead.width = max(1, r.of.o.Ahead)
	}
	if !second || !returns {
		r.brought = fresh > 0
		here, size := len(p.ids)+int(p.odd), p.info.pageSize.V
		r.overfull = r.overfull || size > 0 && len(p.ids) > size
		r.full = r.overfull || here >= cmp.Or(size, len(r.start))
	}
	if r.asked == 1 {
		r.begin(p.info)
	}
	if r.follow(p) {
		return
	}
	switch {
	case r.empty >= maxEmpty, r.stale >= maxStale:
		r.ended = true
		r.of.doubt = cmp.Or(r.of.doubt, "it tells of more pages, but these bring nobody new")
	case r.pages > 0 && r.read+len(r.failures) < r.pages+r.extra:
	case p.empty(), returns && r.asked > 1 && !second:
		r.ended = true
	case r.pages > 0:
		r.further()
	}
	if r.asked >= maxPages {
		r.ended = true
		r.of.why = append(r.of.why, errEndless.Error())
	}
}

var errEndless = errors.New("the pages do not end")

// begin takes the number of the first page from its answer. What it says of that
// counts only where none was asked for, and 0 only if page 1 is another page.
func (r *listReading) begin(info pageInfo) {
	next, err := strconv.Atoi(info.token())
	switch {
	case r.first.Valid:
	case info.page.Valid:
		r.first = info.page
	case err == nil && next > 0 && r.pages > 0:
		r.first = Null[int]{V: next - 1, Valid: true}
	default:
		r.settling = r.pages != 1
	}
	r.settling = r.settling || r.first.V == 0 && r.pages != 1
	r.ahead.number = r.first.V + 1
}

// settle ends the search for the first page's number: page 1 is another one, or
// it is the first page again, onto which somebody may have moved.
func (r *listReading) settle(other bool) {
	if !r.settling {
		return
	}
	r.settling = false
	r.first = Null[int]{V: 1, Valid: true}
	if other {
		r.first.V = 0
	}
}

// note counts what is on a page, and returns how many are new in this reading. A
// page that comes back counts once.
func (r *listReading) note(p *usersPage, returns bool) (fresh int) {
	if total := p.info.total; total.V > 0 && !p.empty() {
		if !r.of.total.Valid || total.V < r.of.total.V {
			r.of.total = total
		}
		r.of.most = max(r.of.most, total.V)
		r.of.fell = max(r.of.fell, r.of.most-total.V)
	}
	for i, id := range p.ids {
		if _, known := r.seen[id]; known || i > 0 && id == p.ids[i-1] {
			continue
		}
		fresh++
		r.came++
		if r.again {
			r.seen[id] = struct{}{}
		}
	}
	if returns && !r.settling {
		return fresh
	}
	if !r.settling {
		r.of.moved += int64(len(p.ids) - fresh)
	}
	if returns {
		return fresh
	}
	for _, a := range p.aside {
		if a.Page = r.asked; !r.again && len(r.of.extent.First) < maxAsides {
			r.of.extent.First = append(r.of.extent.First, a)
		}
	}
	r.odd += p.odd
	r.unreadable += p.unreadable
	return fresh
}

// count counts the pages in a row that bring nothing.
func (r *listReading) count(p *usersPage, fresh int, second bool) {
	switch {
	case p.empty():
		r.empty++
	case fresh == 0 && !second:
		r.stale++
		r.empty = 0
	default:
		r.empty, r.stale = 0, 0
		if r.of.o.Progress != nil && fresh > 0 {
			r.of.o.Progress()
		}
	}
}

// follow takes the token of the next page, if pages have such. A number that
// would be asked for anyway is none, where there are several to ask for at once.
func (r *listReading) follow(p *usersPage) bool {
	token := p.info.token()
	switch {
	case r.tokens == nil && (token == "" || r.asked > 1 || r.pages > 0 && r.first.Valid && token == strconv.Itoa(r.first.V+1)):
		return false
	case r.tokens == nil:
		r.tokens, r.settling = map[uint64]struct{}{}, false
		r.of.extent.Counted = false
	}
	r.token = token
	_, known := r.tokens[xxhash.Sum64String(token)]
	r.tokens[xxhash.Sum64String(token)] = struct{}{}
	doubt := ""
	switch {
	case token == "" || p.absent:
		r.ended = true
	case known:
		doubt = "a page names one as the next that was there before"
	case len(token) > maxToken:
		doubt = "a page names the next one by an overlong token"
	case r.empty >= maxEmpty, r.stale >= maxStale:
		doubt = "it tells of more pages, but these bring nobody new"
	case r.asked >= maxPages:
		doubt = errEndless.Error()
	}
	if doubt != "" {
		r.ended = true
		r.of.doubt = cmp.Or(r.of.doubt, doubt)
	}
	return true
}

// further decides at the end of the pages told whether there may be more: there
// are users who have not come, or nobody tells that there are none.
func (r *listReading) further() {
	missing, told := r.missing()
	switch {
	case !r.brought:
	case told && missing > 0:
		r.extra += r.ahead.width
	case r.full && (!told || missing < 0):
		r.extra++
	}
}

// each hands out the users of a page who were on none before.
func (r *listReading) each(p *usersPage, yield func(User, error) bool) bool {
	if p.list == nil {
		return true
	}
	named := r.of.named
	for u, err := range p.list.All() {
		if err != nil {
			yield(u, err)
			return false
		}
		id := xxhash.Sum64String(u.ID)
		if _, known := named[id]; known {
			continue
		}
		named[id] = struct{}{}
		r.of.extent.Named = int64(len(named))
		if !yield(u, nil) {
			return false
		}
	}
	return true
}
