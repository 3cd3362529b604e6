package finoos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Joined is what one answer has of a user's accounts, transactions and tags: what
// three endpoints tell, if it can be depended on, which nobody promises. Close it.
//
//	answer ──> split ──> accounts      [{…}, …]      as banking/accounts has them
//	                 └─> transactions  [{…}, …]      read twice: as transactions, and as tags
type Joined struct {
	call               *apiCall
	accounts, bookings *spool
	size               JoinedSize
}

// JoinedSize is how much a [Joined] holds.
type JoinedSize struct {
	Accounts, Transactions int
	Largest                int // transactions of one account, the most
}

// NotJoinedError is the error of an answer that cannot stand for the three endpoints,
// whatever it means itself.
type NotJoinedError struct{ Why string }

// Error says why.
func (e *NotJoinedError) Error() string { return "the answer stands for no others: " + e.Why }

// Why an answer cannot.
const (
	JoinedEmpty      = "empty" // it has no transaction
	JoinedLacks      = "lacks a list"
	JoinedPaged      = "paged"     // it tells that there is more
	JoinedSaysMore   = "says more" // beside the accounts there is something that nobody knows
	JoinedForeign    = "of another account"
	JoinedUnreadable = "unreadable"
)

// Joined reads the accounts of a user with their transactions, which carry the
// current tags, by one request. An error is a [*NotJoinedError] where the answer lacks
// something that the three endpoints tell; others are those of any read. How large
// the answer may be is bounded as any.
func (c *Client) Joined(ctx context.Context, userID string) (*Joined, error) {
	call, err := c.newCall(opCategorized, userID, "", nil)
	if err != nil {
		return nil, err
	}
	body, err := c.read(ctx, call)
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, &NotJoinedError{JoinedEmpty}
	}
	defer closeQuietly(body)
	j := &Joined{call: call}
	if err := j.take(ctx, c, body); err != nil {
		closeQuietly(j)
		return nil, err
	}
	return j, nil
}

func (j *Joined) take(ctx context.Context, c *Client, body *spool) error {
	part := func(bookings bool) (*spool, error) {
		s := newSplit(body, bookings)
		defer s.close()
		// What is added to a transaction is the id of its account, so it may be longer.
		of, err := newSpool(ctx, s, 2*c.cfg.MaxResponse, c.room())
		j.size = s.size
		return of, err
	}
	var err error
	if j.accounts, err = part(false); err != nil {
		return err
	}
	if j.bookings, err = part(true); err != nil {
		return err
	}
	if j.size.Transactions == 0 {
		return &NotJoinedError{JoinedEmpty}
	}
	return nil
}

// Size is how much the answer holds.
func (j *Joined) Size() JoinedSize { return j.size }

// Accounts are the accounts, without their transactions. The list need not be closed.
func (j *Joined) Accounts() *List[Account] { return lentList(j.call, accountSchema, j.accounts) }

// Transactions are those of all accounts, in their order. The list need not be closed.
func (j *Joined) Transactions(v *JoinedView) *List[Transaction] {
	return lentList(j.call, v.transactions, j.bookings)
}

// Categorization is the tags of the same. The list need not be closed.
func (j *Joined) Categorization(v *JoinedView) *List[Categorization] {
	return lentList(j.call, v.tags, j.bookings)
}

// Close gives back what is held.
func (j *Joined) Close() error {
	var errs []error
	for _, part := range []*spool{j.accounts, j.bookings} {
		if part != nil {
			errs = append(errs, part.Close())
		}
	}
	return errors.Join(errs...)
}

func lentList[T any](call *apiCall, of *schema[T], part *spool) *List[T] {
	l := newList(call, of)
	l.parts, l.lent = []*spool{part}, true
	return l
}

// JoinedView says which fields of a transaction that no column holds belong to the
// transactions, and which to their tags: of two endpoints each has its own.
type JoinedView struct {
	transactions *schema[Transaction]
	tags         *schema[Categorization]
}

// MaxViewed bounds the fields that a [JoinedView] may tell apart.
const MaxViewed = 16

// NewJoinedView leaves out of the transactions the fields named onlyTags, and out of
// the tags those named onlyTransactions, and all that the model of a transaction has:
// MaxViewed of each at most. Names are taken in any case.
func NewJoinedView(onlyTags, onlyTransactions []string) *JoinedView {
	v := &JoinedView{transactions: newTransactionSchema(), tags: newCategorizationSchema().unhashed()}
	var bound []string
	for _, f := range v.transactions.members.fields {
		bound = append(bound, f.name)
	}
	passBy(v.transactions, onlyTags)
	passBy(v.tags, append(bound, onlyTransactions...))
	return v
}

// passBy leaves fields of records out: they are neither kept nor hashed. What the
// schema has a place for stays.
func passBy[T any](s *schema[T], names []string) {
	for _, name := range names {
		lower := strings.ToLower(name)
		if _, bound := s.members.byName[lower]; bound {
			continue
		}
		if s.members.skip.children == nil {
			s.members.skip.children = map[string]*fieldTree{}
		}
		s.members.skip.children[lower] = &fieldTree{leaf: true}
		s.members.byName[lower] = len(s.members.fields)
		// Without a bit of its own it may come any number of times.
		s.members.fields = append(s.members.fields, &fieldOf[T]{name: name, set: func(*recordDecoder, *T, value) error { return nil }})
	}
}

// joinedSplit reads, of an answer, its accounts without their transactions, or the
// transactions alone, as a list: piece by piece, whatever the size of an account.
type joinedSplit struct {
	*recordStream

	bookings bool // the transactions are wanted
	at       splitPlace
	bare     bool // the accounts are the answer itself
	size     JoinedSize

	out  []byte // what was made and not read yet, from sent on
	sent int
	err  error // there is no more
	item []byte

	// Of the account at hand:
	id      []byte // as spelled, nil as long as it has not come
	account string // what that says
	listed  bool   // its transactions have come
	fields  int    // that were written
	of      int    // transactions
}

type splitPlace int

const (
	splitStart splitPlace = iota
	splitTop
	splitAccounts
	splitAccount
	splitBookings
	splitEnd
)

func newSplit(body *spool, bookings bool) *joinedSplit {
	s := &joinedSplit{recordStream: newStream(body.reader, nil), bookings: bookings}
	s.where = inWrappedList // as deep as most of it lies
	return s
}

// Read implements [io.Reader].
func (s *joinedSplit) Read(p []byte) (int, error) {
	for s.sent == len(s.out) {
		if s.err != nil {
			return 0, s.err
		}
		s.out, s.sent = s.out[:0], 0
		if s.err = s.step(); s.err != nil && !errors.Is(s.err, io.EOF) {
			s.err = joinedError(s.err)
		}
	}
	n := copy(p, s.out[s.sent:])
	s.sent += n
	return n, nil
}

// joinedError is what a failure of the reader means for who wants three endpoints of
// one.
func joinedError(err error) error {
	if _, local := errors.AsType[*localError](err); local {
		return err
	}
	if _, said := errors.AsType[*NotJoinedError](err); said {
		return err
	}
	return &NotJoinedError{JoinedUnreadable}
}

// step goes one token, or one value, further.
func (s *joinedSplit) step() error {
	switch s.at {
	case splitStart:
		return s.start()
	case splitTop:
		return s.top()
	case splitAccounts:
		return s.nextAccount()
	case splitAccount:
		return s.field()
	case splitBookings:
		return s.booking()
	case splitEnd:
	}
	switch _, err := s.peek(); {
	case err == nil:
		return s.wrong(0) // there is something after the end
	case !errors.Is(err, errNoJSON):
		return err
	case !s.found:
		return &NotJoinedError{JoinedLacks}
	}
	return io.EOF
}

func (s *joinedSplit) start() error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case c == '[':
		s.bare = true
		return s.enterAccounts()
	case c == 'n':
		return &NotJoinedError{JoinedLacks}
	case c != '{':
		return &NotJoinedError{JoinedUnreadable}
	}
	s.enter(splitTop)
	return nil
}

// enter passes by a bracket.
func (s *joinedSplit) enter(at splitPlace) {
	s.window.pass(1)
	s.at, s.between = at, false
}

func (s *joinedSplit) enterAccounts() error {
	if s.found {
		return &NotJoinedError{JoinedSaysMore}
	}
	s.found = true
	s.enter(splitAccounts)
	s.out = append(s.out, '[')
	return nil
}

// top reads a member of the answer.
func (s *joinedSplit) top() error {
	ended, err := s.separator('}')
	if err != nil {
		return err
	}
	if ended {
		s.at = splitEnd
		return nil
	}
	name, err := s.name()
	if err != nil {
		return err
	}
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case strings.EqualFold(name, "accounts") && c == '[':
		return s.enterAccounts()
	case strings.EqualFold(name, "accounts"):
		return &NotJoinedError{JoinedLacks}
	}
	v, err := s.shown()
	switch {
	case err != nil:
		return err
	case nameIn(name, pageMembers):
		if info := pageInfoOf(v); info.isPart() {
			return &NotJoinedError{JoinedPaged}
		}
	case v.says():
		return &NotJoinedError{JoinedSaysMore}
	}
	return nil
}

// isPart says that an answer tells of more than one page, or of a next one.
func (i pageInfo) isPart() bool {
	pages, told := i.pages()
	return told && pages > 1 || i.token() != ""
}

// shown is the next value, valid until the next one.
func (s *joinedSplit) shown() (value, error) {
	mended := false
	err := s.value(func(b []byte) (int, error) {
		end, err := s.syntax.valueEnd(b, 0)
		if err == nil {
			s.item, mended = append(append(s.item[:0], b[:end]...), endMark), s.repairs != nil
		}
		return end, err
	})
	if err == nil && mended {
		err = &NotJoinedError{JoinedUnreadable} // it would not be counted any more
	}
	if err != nil {
		return value{}, err
	}
	v, _ := valueAt(s.item, 0)
	return v, nil
}

func (s *joinedSplit) nextAccount() error {
	ended, err := s.separator(']')
	if err != nil {
		return err
	}
	if ended {
		s.out = append(s.out, ']')
		if s.at = splitTop; s.bare {
			s.at = splitEnd
		}
		return nil
	}
	if c, err := s.peek(); err != nil {
		return err
	} else if c != '{' {
		return &NotJoinedError{JoinedUnreadable}
	}
	s.enter(splitAccount)
	if !s.bookings {
		s.comma(s.size.Accounts)
		s.out = append(s.out, '{')
	}
	s.size.Accounts++
	s.id, s.listed, s.fields, s.of = nil, false, 0, 0
	return nil
}

// comma stands before all but the first.
func (s *joinedSplit) comma(before int) {
	if before > 0 {
		s.out = append(s.out, ',')
	}
}

// field reads a member of an account.
func (s *joinedSplit) field() error {
	ended, err := s.separator('}')
	if err != nil {
		return err
	}
	if ended {
		if !s.listed {
			return &NotJoinedError{JoinedLacks}
		}
		if !s.bookings {
			s.out = append(s.out, '}')
		}
		s.at = splitAccounts
		return nil
	}
	name, err := s.name()
	if err != nil {
		return err
	}
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case strings.EqualFold(name, "transactions"):
		if c != '[' || s.listed {
			return &NotJoinedError{JoinedLacks}
		}
		s.listed = true
		s.enter(splitBookings)
		return nil
	}
	isID := strings.EqualFold(name, "accountId") && s.id == nil
	if s.bookings && !isID {
		return s.skip()
	}
	v, err := s.shown()
	if err != nil {
		return err
	}
	if isID && v.says() {
		s.id, s.account = bytes.Clone(v.raw), v.text()
	}
	if !s.bookings {
		s.comma(s.fields)
		s.fields++
		if s.out, err = jsontext.AppendQuote(s.out, name); err != nil {
			return &NotJoinedError{JoinedUnreadable}
		}
		s.out = append(append(s.out, ':'), v.raw...)
	}
	return nil
}

// booking reads a transaction of an account.
func (s *joinedSplit) booking() error {
	ended, err := s.separator(']')
	if err != nil {
		return err
	}
	if ended {
		s.at = splitAccount
		return nil
	}
	s.size.Transactions++
	s.of++
	s.size.Largest = max(s.size.Largest, s.of)
	if !s.bookings {
		return s.skip()
	}
	v, err := s.shown()
	if err != nil {
		return err
	}
	if v.kind() != kindObject {
		return &NotJoinedError{JoinedUnreadable}
	}
	s.comma(s.size.Transactions - 1)
	return s.write(v)
}

// write writes a transaction, with the account that it stands in if it does not tell.
func (s *joinedSplit) write(v value) error {
	empty := true
	for m := v.members(); m.next(); empty = false {
		if string(m.name.appendLower(nil)) != "accountid" || !m.value.says() {
			continue
		}
		if s.id != nil && !bytes.Equal(s.id, m.value.raw) && s.account != m.value.text() {
			return &NotJoinedError{JoinedForeign}
		}
		s.out = append(s.out, v.raw...)
		return nil
	}
	if s.id == nil {
		return &NotJoinedError{JoinedForeign} // the account tells its id later
	}
	s.out = append(s.out, v.raw[:len(v.raw)-1]...)
	if !empty {
		s.out = append(s.out, ',')
	}
	s.out = append(append(append(s.out, `"accountId":`...), s.id...), '}')
	return nil
}
