package finoos

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Examination is what one answer of the API looks like, beside what the
// document says of it as this package reads it. It holds names, sizes and
// times, and nothing that the answer says of anybody.
type Examination struct {
	Operation Operation
	Service   Service // of a correlation
	Status    int     // 0 where there was no answer
	Latency   time.Duration
	Clock     time.Time // of the server, by its Date header; zero if it does not tell
	Bytes     int64
	Records   int
	// Under is the name that the list, or the record, stands under in the
	// answer, "" if it is the answer itself. Documented is where it should
	// stand.
	Under, Documented string
	// Unknown are fields that nobody has documented, as paths; they are kept in
	// the records' Extra.
	Unknown []string
	// Missing are documented fields that no record of the answer had.
	Missing []string
	// Err is why there is no more to say: an [*Error], or that the context has
	// ended.
	Err error
}

// Examinable are the names of the operations that [Client.Examine] knows, in
// the order in which they make sense.
func Examinable() []string {
	return []string{opUser, opLogins, opAccounts, opTransactions, opCorrelation, opCategorization, opContracts, opAccountHistory}
}

// examined is how far back transactions are asked for: their shape is wanted.
const examined = 90 * 24 * time.Hour

// Examine asks for one operation of a user's once, without retries, and looks
// at its answer. The service is for correlations only.
func (c *Client) Examine(ctx context.Context, operation, userID string, s Service) Examination {
	switch operation {
	case opUser:
		return examine(ctx, c, operation, userID, "", userSchema, shape{single: true, under: []string{"user"}})
	case opLogins:
		return examine(ctx, c, operation, userID, "", loginSchema, shape{under: []string{"", "logins", "bankLogins"}})
	case opAccounts:
		return examine(ctx, c, operation, userID, "", accountSchema, shape{under: []string{"accounts"}})
	case opTransactions:
		query := url.Values{"since": {time.Now().Add(-examined).UTC().Format(time.RFC3339)}}
		e := examine(ctx, c, operation, userID, "", transactionSchema, shape{under: []string{"", "transactions"}, query: query})
		if refused, ok := errors.AsType[*Error](e.Err); ok && refused.refusesQuery() { // it may be the query
			if all := examine(ctx, c, operation, userID, "", transactionSchema, shape{under: []string{"", "transactions"}}); all.Err == nil {
				return all
			}
		}
		return e
	case opCorrelation:
		return examine(ctx, c, operation, userID, s, correlationSchema, shape{single: true, under: []string{""}})
	case opCategorization:
		return examine(ctx, c, operation, userID, "", categorizationSchema, shape{under: []string{"categorization"}})
	case opContracts:
		return examine(ctx, c, operation, userID, "", contractSchema, shape{under: []string{"", "contracts"}})
	case opAccountHistory:
		return examine(ctx, c, operation, userID, "", historySchema, shape{under: []string{"histories"}})
	}
	return Examination{Operation: Operation{Name: operation}, Err: errors.New("no operation to examine: " + operation)}
}

// shape is what the document says of an answer's outside.
type shape struct {
	single bool     // one record, else a list
	under  []string // the documented name first, then others that are accepted
	query  url.Values
}

// observed is the schema of records that are looked at.
type observed[T any] struct {
	*schema[T]
	unknown map[string]bool
}

func examine[T any](ctx context.Context, c *Client, operation, userID string, s Service, of *schema[T], as shape) (e Examination) {
	e = Examination{Operation: *c.operations[operation], Service: s, Documented: as.under[0]}
	call, err := c.newCall(operation, userID, s, as.query)
	if err != nil {
		e.Err = err
		return e
	}
	if err := c.Authenticate(ctx); err != nil { // which would count as latency
		e.Err = err
		return e
	}
	body, err := c.ask(ctx, call, &e)
	if err != nil {
		e.Err = err
		return e
	}
	defer closeQuietly(body)
	e.Bytes = body.size
	o := observed[T]{schema: of, unknown: map[string]bool{}}
	d := recordDecoder{seen: map[documented]uint64{}}
	if as.single {
		e.Err = o.single(call, body, &d, as, &e)
	} else {
		e.Err = o.list(call, body, &d, as, &e)
	}
	e.Unknown = slices.Sorted(maps.Keys(o.unknown))
	for schema, seen := range d.seen {
		e.Missing = append(e.Missing, schema.without(seen)...)
	}
	slices.Sort(e.Missing)
	return e
}

// ask makes the one attempt.
func (c *Client) ask(ctx context.Context, call *apiCall, e *Examination) (*spool, error) {
	began := time.Now()
	resp, err := c.send(ctx, call)
	if err != nil {
		return nil, err
	}
	defer closeQuietly(resp.Body)
	e.Status, e.Latency = resp.StatusCode, time.Since(began)
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		e.Clock = at
	}
	switch {
	case isPlain(resp.StatusCode):
	case isEmpty(resp.StatusCode):
		return &spool{}, nil
	default:
		return nil, c.refusal(call, resp)
	}
	body, err := newSpool(ctx, bodyOf(resp), c.cfg.MaxResponse, c.room())
	if err != nil {
		return nil, c.transportError(ctx, call, err)
	}
	return body, nil
}

func (o observed[T]) list(call *apiCall, body *spool, d *recordDecoder, as shape, e *Examination) error {
	if body.size == 0 {
		return nil
	}
	names := slices.DeleteFunc(slices.Clone(as.under), func(name string) bool { return name == "" })
	s := newStream(body.reader, names)
	defer s.close()
	read := func(b []byte) (end int, err error) {
		d.reset(mark{around: s.around()})
		if end, err = s.syntax.valueEnd(b, 0); err == nil {
			err = o.record(d, value{raw: b[:end]})
		}
		return end, err
	}
	for {
		err := s.next(read)
		e.Under = s.under
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if errors.Is(err, errNoList) {
				e.Under = s.other // an empty one, which counts for nothing
			}
			return call.unreadable(err)
		}
		e.Records++
	}
}

func (o observed[T]) single(call *apiCall, body *spool, d *recordDecoder, as shape, e *Examination) error {
	if body.size == 0 {
		return call.unreadable(errNothing)
	}
	text, err := io.ReadAll(io.LimitReader(body.reader(), maxRecord))
	if err != nil {
		return call.unreadable(err)
	}
	v, ok := parseValue(text)
	if !ok {
		return call.unreadable(errNoJSON)
	}
	inner := unwrap(v, as.under[0])
	if len(inner.raw) != len(v.raw) {
		e.Under = as.under[0]
	}
	if err := o.record(d, inner); err != nil {
		return call.unreadable(err)
	}
	e.Records = 1
	return nil
}

// record looks at one record, as it is decoded everywhere else.
func (o observed[T]) record(d *recordDecoder, v value) error {
	if _, err := o.decode(d, v); err != nil {
		return err
	}
	o.undocumented(v, o.members, "")
	return nil
}

// undocumented notes the members of v that neither a field nor the document
// knows.
func (o observed[T]) undocumented(v value, l *level[T], path string) {
	for m := v.members(); m.next(); {
		name := string(m.name.appendLower(nil))
		var f *fieldOf[T]
		if i, ok := l.byName[name]; ok {
			f = l.fields[i]
		}
		switch {
		case f == nil && !slices.Contains(known[o.model], name):
			o.unknown[path+m.name.text()] = true
		case f != nil && f.within != nil:
			o.undocumented(m.value, f.within, f.name+".")
		}
	}
}

// known are fields that the document names and that have no column, in lower
// case: they are kept like unknown ones, but are no news.
var known = map[string][]string{
	userSchema.model:    lower("automaticAnalysis", "expiresIn"),
	accountSchema.model: lower("icon", "supportedPayments", "standingOrders", "securities"),
}

func lower(names ...string) []string {
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
	return names
}
