package joined

import (
	"errors"
	"maps"
	"slices"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

// Comparison is of one user: the one answer, and what the endpoints have told.
type Comparison struct {
	Body     *finoos.Joined
	Streams  []config.Stream
	separate map[config.Stream]*Digest
	known    [2][]string
}

// Compare begins a comparison. It takes the answer over.
func (t *Trial) Compare(body *finoos.Joined, streams []config.Stream) *Comparison {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Comparison{
		Body: body, Streams: streams, separate: map[config.Stream]*Digest{},
		known: [2][]string{slices.Collect(maps.Keys(t.views.tags)), slices.Collect(maps.Keys(t.views.transactions))},
	}
}

// Accounts takes in what banking/accounts tells.
func (c *Comparison) Accounts(list Records[finoos.Account]) error {
	return c.take(config.StreamAccounts, func() (*Digest, error) { return OfAccounts(list) })
}

// Transactions takes in that of banking/transactions.
func (c *Comparison) Transactions(list Records[finoos.Transaction]) error {
	return c.take(config.StreamTransactions, func() (*Digest, error) { return OfTransactions(list) })
}

// Tags takes in that of categorization.
func (c *Comparison) Tags(list Records[finoos.Categorization]) error {
	return c.take(config.StreamCategorization, func() (*Digest, error) { return OfTags(list) })
}

func (c *Comparison) take(s config.Stream, digest func() (*Digest, error)) error {
	if !slices.Contains(c.Streams, s) {
		return nil
	}
	d, err := digest()
	if err == nil {
		c.separate[s] = d
	}
	return err
}

// IsComplete says that all endpoints have told.
func (c *Comparison) IsComplete() bool { return len(c.separate) == len(c.Streams) }

// Judge compares. An error is why the one answer cannot be read.
func (c *Comparison) Judge() (v Verdict, err error) {
	tags, bookings := c.extrasOf(config.StreamCategorization), c.extrasOf(config.StreamTransactions)
	view := viewOf(setOf(tags, c.known[0]), setOf(bookings, c.known[1]))
	v = Verdict{Compared: true, Tells: true, Size: c.Body.Size(), Differs: map[config.Stream][]string{}, tags: tags, bookings: bookings}
	for _, s := range c.Streams {
		var d *Digest
		switch s {
		case config.StreamAccounts:
			d, err = OfAccounts(c.Body.Accounts())
		case config.StreamTransactions:
			d, err = OfTransactions(c.Body.Transactions(view))
		case config.StreamCategorization:
			d, err = OfTags(c.Body.Categorization(view))
		default:
			err = errors.New("stream " + string(s) + " cannot be compared")
		}
		if err != nil {
			return Verdict{}, err
		}
		if names := d.differsFrom(c.separate[s]); names != nil {
			v.Differs[s] = names
		}
		v.Tells = v.Tells && d.Records > 0
	}
	return v, nil
}

func (c *Comparison) extrasOf(s config.Stream) []string {
	if d := c.separate[s]; d != nil {
		return d.extras()
	}
	return nil
}

func setOf(names, more []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range slices.Concat(names, more) {
		set[name] = true
	}
	return set
}
