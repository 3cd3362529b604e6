package finoos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Transaction is a booking on an account. Dates are midnight UTC of the day as
// the API wrote it, whatever its offset; zero is null.
type Transaction struct {
	ID, AccountID                              string
	Amount                                     Number
	Currency                                   string
	BookingDate, ValueDate                     time.Time
	BookingText, Purpose, MerchantCategoryCode string

	PartnerName, PartnerIBAN, PartnerBIC       string
	PartnerCreditorID, PartnerMandateReference string

	Tags []string
	Record
}

// TransactionQuery bounds a listing of transactions. Both ends are instants and
// inclusive; zero is unbounded. LastMonths, where it is positive, bounds it too.
type TransactionQuery struct {
	Since, Until time.Time
	LastMonths   int
}

var transactionSchema = newTransactionSchema()

func newTransactionSchema() *schema[Transaction] {
	return newSchema("transaction", func(t *Transaction, r Record) { t.Record = r },
		ident("transactionId", func(t *Transaction) *string { return &t.ID }),
		ident("accountId", func(t *Transaction) *string { return &t.AccountID }),
		number("amount", func(t *Transaction) *Number { return &t.Amount }),
		text("currency", func(t *Transaction) *string { return &t.Currency }),
		day("bookingDate", func(t *Transaction) *time.Time { return &t.BookingDate }),
		day("valueDate", func(t *Transaction) *time.Time { return &t.ValueDate }),
		text("bookingText", func(t *Transaction) *string { return &t.BookingText }),
		text("purpose", func(t *Transaction) *string { return &t.Purpose }),
		text("merchantCategoryCode", func(t *Transaction) *string { return &t.MerchantCategoryCode }),
		object("paymentPartner",
			text("name", func(t *Transaction) *string { return &t.PartnerName }),
			text("iban", func(t *Transaction) *string { return &t.PartnerIBAN }),
			text("bic", func(t *Transaction) *string { return &t.PartnerBIC }),
			text("creditorId", func(t *Transaction) *string { return &t.PartnerCreditorID }),
			text("mandateReference", func(t *Transaction) *string { return &t.PartnerMandateReference }),
		),
		tags("tags", func(t *Transaction) *[]string { return &t.Tags }),
	)
}

// Transactions returns the transactions of a user, of all accounts.
func (c *Client) Transactions(ctx context.Context, userID string, q TransactionQuery) (*List[Transaction], error) {
	query := url.Values{}
	if !q.Since.IsZero() {
		query.Set("since", q.Since.Format(time.RFC3339))
	}
	if !q.Until.IsZero() {
		query.Set("until", q.Until.Format(time.RFC3339))
	}
	if q.LastMonths > 0 {
		query.Set("lastMonths", strconv.Itoa(q.LastMonths))
	}
	call, err := c.newCall(opTransactions, userID, "", query)
	if err != nil {
		return nil, err
	}
	l, err := list(ctx, c, call, transactionSchema, "transactions")
	if len(query) > 0 {
		return l, err
	}
	return unfiltered(c, l, err)
}

// ErrNotByID says that transactions cannot be looked up by their ids: the API
// refuses it, or answers something else, or the ids cannot be asked for.
var ErrNotByID = errors.New("transactions cannot be looked up by id")

// ErrNotAsked is the [ErrNotByID] by which the API was not asked at all: it says
// nothing of what that can do.
var ErrNotAsked = fmt.Errorf("%w: they cannot be asked for", ErrNotByID)

const (
	// maxLookupURL is what any proxy lets pass.
	maxLookupURL = 2000
	// maxLookups is the number of requests beyond which everything is less to read.
	maxLookups = 5
)

// TransactionsByID returns those of a user's transactions that have one of ids,
// in any account and of any date. Where that succeeds, what the list lacks is
// not there.
//
// Nobody promises that the API can do this. So each request asks for witness,
// too, the id of a transaction that is known to be there; see [CanAskFor]. If it
// does not come back, if something comes that nobody asked for, or if the request
// is refused, the error is [ErrNotByID], and nothing is known. Other errors are
// those of any listing. The list may hold the witness.
func (c *Client) TransactionsByID(ctx context.Context, userID string, ids []string, witness string) (*List[Transaction], error) {
	call, err := c.newCall(opTransactions, userID, "", nil)
	if err != nil {
		return nil, err
	}
	batches, err := lookups(ids, witness, maxLookupURL-len(call.url))
	if err != nil {
		return nil, err
	}
	all := newList(call, transactionSchema, "transactions")
	for _, batch := range batches {
		if err := c.lookUp(ctx, all, userID, batch); err != nil {
			_ = all.Close() // frees memory; nothing is lost by an error
			return nil, err
		}
	}
	return all, nil
}

// lookUp adds to all what the API has of one batch.
func (c *Client) lookUp(ctx context.Context, all *List[Transaction], userID string, of *lookup) error {
	call, err := c.newCall(opTransactions, userID, "", nil)
	if err != nil {
		return err
	}
	call.url += of.query()
	page, err := list(ctx, c, call, transactionSchema, "transactions")
	if err == nil {
		all.parts = append(all.parts, page.parts...)
		err = of.answeredBy(page)
	}
	if e, ok := errors.AsType[*Error](err); ok && e.refusesQuery() {
		return fmt.Errorf("%w: %w", ErrNotByID, err)
	}
	return err
}

// CanAskFor says whether an id can be written into a query as one of a list. One
// that holds a comma reads as two, and blanks at the ends may be cut off.
func CanAskFor(id string) bool {
	return id != "" && !strings.Contains(id, ",") && strings.TrimSpace(id) == id
}

// lookup is one request for transactions by their ids. The last of these is the
// witness: who reads only the first of a list is found out.
type lookup struct{ ids []string }

const lookupName = "?transactionIds="

// query writes commas as they are and everything else in hexadecimal: so it is
// the same list to who splits it before decoding and to who does after.
func (l *lookup) query() string {
	escaped := make([]string, len(l.ids))
	for i, id := range l.ids {
		escaped[i] = escapeID(id)
	}
	return lookupName + strings.Join(escaped, ",")
}

func escapeID(id string) string { return strings.ReplaceAll(url.QueryEscape(id), "+", "%20") }

// lookups are the requests that ask for ids, each with a query of at most room bytes.
func lookups(ids []string, witness string, room int) ([]*lookup, error) {
	if !CanAskFor(witness) {
		return nil, fmt.Errorf("%w: nor can the witness", ErrNotAsked)
	}
	var all []*lookup
	asked := map[string]bool{witness: true}
	room -= len(lookupName) + len(escapeID(witness))
	left := 0
	for _, id := range ids {
		if asked[id] {
			continue
		}
		size := len(escapeID(id)) + 1
		switch {
		case !CanAskFor(id), size > room:
			return nil, ErrNotAsked
		case len(all) == 0, size > left:
			if len(all) == maxLookups {
				return nil, fmt.Errorf("%w: they are too many", ErrNotAsked)
			}
			all, left = append(all, &lookup{}), room
		}
		asked[id] = true
		left -= size
		last := all[len(all)-1]
		last.ids = append(last.ids, id)
	}
	if len(all) == 0 && len(ids) > 0 { // another account has it, too
		all = append(all, &lookup{})
	}
	for _, l := range all {
		l.ids = append(l.ids, witness)
	}
	return all, nil
}

// answeredBy checks that an answer is one to this request, of which it may lack
// any id but the witness.
func (l *lookup) answeredBy(answer *List[Transaction]) error {
	there := make(map[string]bool, len(l.ids))
	for _, id := range l.ids {
		there[id] = false
	}
	records, foreign := 0, 0
	about, err := answer.check(func(t Transaction) {
		if _, asked := there[t.ID]; !asked {
			foreign++
		}
		records++
		there[t.ID] = true
	})
	pages, _ := about.pages()
	witness := l.ids[len(l.ids)-1]
	switch {
	case err != nil:
		return err
	case !there[witness]:
		return fmt.Errorf("%w: one that is there does not come", ErrNotByID)
	case foreign > 0:
		return fmt.Errorf("%w: others come, too", ErrNotByID)
	case pages > 1 || about.total.Valid && about.total.V > records:
		return fmt.Errorf("%w: not all of them come", ErrNotByID)
	}
	for _, id := range l.ids {
		if !there[id] && !sameSigns(id, witness) {
			return fmt.Errorf("%w: an id may have been misread", ErrNotByID)
		}
	}
	return nil
}

// sameSigns says whether a witness shows that the signs of an id arrive as they
// were sent: those of anything but letters, digits and -._~ must be in it, too.
func sameSigns(id, witness string) bool {
	for _, r := range id {
		if Unusual(r) && !strings.ContainsRune(witness, r) {
			return false
		}
	}
	return true
}

// Unusual says whether a sign of an id may be lost or changed on its way in a query.
func Unusual(sign rune) bool {
	s := string(sign)
	return url.QueryEscape(s) != s
}
