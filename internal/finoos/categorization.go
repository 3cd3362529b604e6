package finoos

import (
	"context"
	"errors"
	"net/url"
	"strconv"
)

// Categorization is the tags of one transaction. Its Hash is 0. Where something of
// it is Unreadable, there may be more tags.
type Categorization struct {
	TransactionID, AccountID string
	Tags                     []string
	Record
}

// Only pages are told apart by hashes.
var (
	categorizationSchema = newCategorizationSchema().unhashed()
	categorizationSums   = newCategorizationSchema()
)

func newCategorizationSchema() *schema[Categorization] {
	return newSchema("categorization", func(c *Categorization, r Record) { c.Record = r },
		ident("transactionId", func(c *Categorization) *string { return &c.TransactionID }),
		optionalIdent("accountId", func(c *Categorization) *string { return &c.AccountID }),
		eachTag("tags", func(c *Categorization) *[]string { return &c.Tags }),
	)
}

// Categorization returns the categories of a user's transactions: all of them,
// or the tags that were added after the analysis since, a correlation's id. An
// id that the API does not know or no longer knows is an error of class
// [Invalid] or [NotFound].
//
// Further pages are read as far as metaData tells that there are any, and make
// one list. What says that there are no more ends it: an empty page, null or a
// refusal after the pages that were told; before, a page may be empty, but one
// that repeats another makes the list malformed: what the other pages hold cannot
// be had. Where pages have records of pages before, the list has moved while it
// was read, and is read once more.
func (c *Client) Categorization(ctx context.Context, userID, since string) (*List[Categorization], error) {
	all, moved, err := c.categorizationPages(ctx, userID, since)
	if err == nil && moved {
		_ = all.Close() // frees memory; nothing is lost by an error
		all, _, err = c.categorizationPages(ctx, userID, since)
	}
	if err != nil || since != "" {
		return all, err // a diff may tell how much there is without it
	}
	return unfiltered(c, all, nil)
}

// categorizationPages reads all pages once. moved says that they do not fit together.
func (c *Client) categorizationPages(ctx context.Context, userID, since string) (all *List[Categorization], moved bool, err error) {
	p := &tagPages{client: c, userID: userID, query: url.Values{}, sums: map[uint64]bool{}, seen: map[uint64]bool{}}
	if since != "" {
		p.query.Set("correlation-id", since)
	}
	if p.all, err = p.ask(ctx); err != nil {
		return nil, false, err
	}
	if err = p.rest(ctx); err != nil {
		_ = p.all.Close() // frees memory; nothing is lost by an error
		return nil, false, err
	}
	return p.all, p.moved, nil
}

// tagPages are the pages of one list on their way into it.
type tagPages struct {
	client *Client
	userID string
	query  url.Values
	all    *List[Categorization] // of which the first page is the beginning

	asked   int  // number of the page that was asked for last
	read    int  // pages that have come
	records int  // on these
	last    int  // on the last that had any
	ended   bool // the last had none, or was one that is there already
	empty   int  // how many in a row had none

	// What any page has told of all: the most.
	told, total int
	size        int // of a page; what came counts, too

	sums  map[uint64]bool // of pages, whatever the order of their records
	seen  map[uint64]bool // of records
	moved bool            // a record came on two pages
}

func (p *tagPages) ask(ctx context.Context) (*List[Categorization], error) {
	call, err := p.client.newCall(opCategorization, p.userID, "", p.query)
	if err != nil {
		return nil, err
	}
	return list(ctx, p.client, call, categorizationSchema, "categorization")
}

// rest adds to all, which has the first page, those after it.
func (p *tagPages) rest(ctx context.Context) error {
	info, err := p.all.pageInfo()
	if IsNullList(err) {
		return nil // who reads the list is told
	}
	if err != nil || info.totalPages.V == 1 || info.totalPages.V == 0 && info.total.V == 0 && info.pageSize.V == 0 {
		return err
	}
	p.asked = info.page.V
	if err := p.take(p.all); err != nil {
		return err
	}
	for p.goesOn() {
		p.asked++
		p.query.Set("page", strconv.Itoa(p.asked))
		page, err := p.ask(ctx)
		switch {
		case err == nil:
			err = p.take(page)
		case p.isEnd(err):
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goesOn says whether to ask for another page: for all that were told, and for more
// where there are fewer records than that, until one has none.
func (p *tagPages) goesOn() bool {
	switch {
	case p.read < p.told:
		return true
	case p.ended:
		return false
	case p.total > 0:
		return p.records < p.total
	}
	return p.told == 0 && p.last >= p.size
}

// isEnd says whether a page is refused, or null, since there are no more: it was
// not told of, or the one before was not full.
func (p *tagPages) isEnd(err error) bool {
	class := ClassOf(err)
	return (class == NotFound || class == Invalid || IsNullList(err)) && (p.read >= p.told || p.last < p.size)
}

var errRepeats = errors.New("a page repeats one before it")

// mostEmpty is how many pages in a row may be empty.
const mostEmpty = 1000

// take takes a page in, and adds it to all. Page 1 may turn out to be the first
// page again: then pages count from 1, whatever that one told.
func (p *tagPages) take(page *List[Categorization]) error {
	hashes, sum, info, err := hashesOf(page)
	if IsNullList(err) && (info.told || p.isEnd(err)) {
		err = nil // an empty page
	}
	known := p.sums[sum]
	if page != p.all && (err != nil || known || len(hashes) == 0) {
		defer closeQuietly(page)
	}
	switch {
	case err != nil:
		return err
	case known && p.asked == 1 && p.read == 1:
		return nil
	case known && p.read < p.told:
		return page.call.unreadable(errRepeats)
	case known:
		p.ended = true
		return nil
	case p.read == maxPages || p.empty == mostEmpty:
		return page.call.unreadable(errEndless)
	}
	p.read++
	pages, _ := info.pages()
	p.told, p.total, p.size = max(p.told, pages), max(p.total, info.total.V), max(p.size, info.pageSize.V, len(hashes))
	if p.ended = len(hashes) == 0; p.ended {
		p.empty++
		return nil
	}
	p.sums[sum], p.empty, p.last = true, 0, len(hashes)
	for _, h := range hashes {
		p.moved = p.moved || p.seen[h]
	}
	for _, h := range hashes { // one page may have a record twice
		p.seen[h] = true
	}
	if page != p.all && p.records == 0 {
		_ = p.all.Close() // it has none, and may be null
		p.all.parts = nil
	}
	if page != p.all {
		p.all.parts = append(p.all.parts, page.parts...)
	}
	p.records += len(hashes)
	return nil
}

// hashesOf are those of a page's records, and their sum, which tells pages apart.
func hashesOf(page *List[Categorization]) (hashes []uint64, sum uint64, info pageInfo, err error) {
	hashed := *page
	hashed.schema = categorizationSums
	info, err = hashed.check(func(c Categorization) {
		hashes = append(hashes, c.Hash)
		sum += c.Hash
	})
	return hashes, sum, info, err
}
