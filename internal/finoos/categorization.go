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
// one list. An empty page ends it early. A page that repeats the one before it
// makes it malformed: what the other pages hold cannot be had.
func (c *Client) Categorization(ctx context.Context, userID, since string) (*List[Categorization], error) {
	query := url.Values{}
	if since != "" {
		query.Set("correlation-id", since)
	}
	all, err := c.categorizationPage(ctx, userID, query)
	if err != nil {
		return nil, err
	}
	if err := c.furtherPages(ctx, all, userID, query); err != nil {
		_ = all.Close()
		return nil, err
	}
	return all, nil
}

func (c *Client) categorizationPage(ctx context.Context, userID string, query url.Values) (*List[Categorization], error) {
	call, err := c.newCall(opCategorization, userID, "", query)
	if err != nil {
		return nil, err
	}
	return list(ctx, c, call, categorizationSchema, "categorization")
}

var errRepeats = errors.New("a page repeats the one before it")

// furtherPages adds to all, which has the first page, those after it. Page 1
// may turn out to be the first page again: then pages count from 1, whatever
// the first one told.
func (c *Client) furtherPages(ctx context.Context, all *List[Categorization], userID string, query url.Values) error {
	info, err := all.pageInfo()
	if err != nil {
		return err
	}
	if pages, _ := info.pages(); pages <= 1 {
		return nil
	}
	last, _, err := sumOf(all)
	if err != nil {
		return err
	}
	number := 1
	if info.page.Valid {
		number = info.page.V + 1
	}
	for read := 1; ; number++ {
		if pages, _ := info.pages(); read >= pages {
			return nil
		}
		query.Set("page", strconv.Itoa(number))
		page, err := c.categorizationPage(ctx, userID, query)
		if err != nil {
			return err
		}
		all.parts = append(all.parts, page.parts...)
		sum, told, err := sumOf(page)
		switch {
		case err != nil:
			return err
		case sum.records == 0:
			return nil
		case sum == last && number == 1:
			all.parts = all.parts[:1]
			_ = page.Close()
			continue
		case sum == last:
			return page.call.unreadable(errRepeats)
		case read == maxPages:
			return page.call.unreadable(errEndless)
		}
		read++
		last = sum
		if _, ok := told.pages(); ok {
			info = told
		}
	}
}

// pageSum tells pages apart, whatever the order of their records.
type pageSum struct {
	records int
	hash    uint64
}

func sumOf(page *List[Categorization]) (sum pageSum, info pageInfo, err error) {
	hashed := *page
	hashed.schema = categorizationSums
	info, err = hashed.check(func(c Categorization) {
		sum.records++
		sum.hash += c.Hash
	})
	return sum, info, err
}
