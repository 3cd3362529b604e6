package sandbox

import (
	"container/list"
	"sync"
)

// world is where users and their money come from: invented (invent.go) or
// read from the Berka tables (berka.go). All of it is a pure function of the
// arguments; what changes from night to night is the business of builder.
type world interface {
	// users is how many there are on the first day.
	users() int
	// user is what the list of users tells; joined is the day the user came.
	user(index int, joined day) *customer
	// logins are the user's bank logins, without the work that household does.
	logins(index int) []loginSpec
	// household is everything a user has.
	household(index int, joined day) *household
	// stirs tells whether finoOS analyses the user anew in a night.
	stirs(index, night int, today day) bool
}

// household is a user with accounts and habits. It knows nothing of nights:
// its nominal bookings are what would happen if nobody corrected anything.
type household struct {
	user     *customer
	dice     dice
	person   person
	logins   []loginSpec
	accounts []*accountSpec
	sources  []*source
	habits   []habit
	genesis  day   // before this day nothing is known
	past     int   // days from there to the day on which the user came
	income   int64 // cents a month

	// Payments whose amounts follow from balances; nil where there are none.
	settle, sweep, rescue, overdraft *source
	interest                         []*source // by account

	// booked are the nominal bookings where they are not invented, by day.
	booked []booking
	// fixed takes the data as it is: nothing is changed at night.
	fixed bool
	// tagNames gives tag objects a name beside their id.
	tagNames bool
	// transactionIDs is how bookings are named: see Readings.TransactionIDs.
	transactionIDs string
	// pending leaves fresh bookings without a date at first.
	pending bool
	// joined leaves entries of categorization without fields of their own, so that one
	// body can say what two say.
	joined bool
}

// loginSpec is a connection to a bank.
type loginSpec struct {
	id       string
	provider string
	active   bool // finoOS synchronises it in the background
	told     bool // `active` is in the answer
}

// accountSpec is an account as it was opened.
type accountSpec struct {
	index                  int
	id, kind, name, owner  string
	number, iban           string
	bank                   bank
	currency               string
	login                  int
	opened                 day
	opening                int64 // cents
	late                   bool  // connected only after the start
	closes                 bool  // may be closed: it has no bookings that would be left behind
	unvalued               bool  // balance unknown, no history
	market                 bool  // the balance follows a market, not bookings
	eod                    []endOfDay
	icon                   string
	supported              []string
	standingOrder, holding bool
	extra                  extras
}

// endOfDay is a balance as recorded, for accounts whose bookings do not add
// up to it.
type endOfDay struct {
	day   day
	cents int64
}

// bank is where an account is.
type bank struct{ name, code, bic string }

// party is who is at the other end of a payment.
type party struct {
	name, iban, bic, creditorID, mandate string
	extra                                extras
}

// source is what causes bookings: a standing payment, a shop, a bank's fee.
type source struct {
	key     int // its place in household.sources
	account int
	to      int // the own account at the other end, or -1
	partner party
	text    string // bookingText
	purpose string // {m} month, {y} year, {n} a number
	mcc     string
	tags    []string
	deal    *deal // the contract behind it

	// Standing payments: every so many months, on this day of the month.
	every       int
	dom         int
	start, stop day
	cents       int64
	early       bool // on a weekend, the weekday before instead of after
	steps       []step
	jitter      int // per mille
}

// step is a new price from a day on.
type step struct {
	from  day
	cents int64
}

// habit is something bought now and then, at one of a few shops.
type habit struct {
	name    string
	monthly int // how often
	lo, hi  int64
	round   int64
	shops   []*source
}

// deal is a contract that an analysis can find in a source's bookings.
type deal struct {
	id, partnerID, category string
	consistency             string
	interval                string // as a word
	months                  int
	tags                    []string
	hidden                  bool // found only by a later analysis
	always                  bool // listed without any booking
	noEnd                   bool // duration unknown
	email                   string
}

// cache keeps the states of the users asked for last. States never change,
// so nothing is ever invalidated.
type cache struct {
	limit int

	mu    sync.Mutex
	known map[cacheKey]*list.Element
	order *list.List // of *cached, the newest in front
}

type cacheKey struct{ user, analyses int }

type cached struct {
	key   cacheKey
	state func() *state // builds on the first call
}

func newCache(limit int) *cache {
	return &cache{limit: limit, known: map[cacheKey]*list.Element{}, order: list.New()}
}

// get returns a state, which it builds at most once at a time.
func (c *cache) get(user, analyses int, build func() *state) *state {
	key := cacheKey{user, analyses}
	c.mu.Lock()
	e, ok := c.known[key]
	if ok {
		c.order.MoveToFront(e)
	} else {
		e = c.order.PushFront(&cached{key, sync.OnceValue(build)})
		c.known[key] = e
		if c.order.Len() > c.limit {
			old := c.order.Remove(c.order.Back())
			delete(c.known, old.(*cached).key) //nolint:errcheck,forcetypeassert // the list holds nothing else
		}
	}
	c.mu.Unlock()
	return e.Value.(*cached).state() //nolint:errcheck,forcetypeassert // the list holds nothing else
}
