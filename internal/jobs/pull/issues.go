package pull

import (
	"encoding/json"
	"errors"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// Issues counts what an answer held that is not as it should be, and that its
// pull went on with (docs/design.md, "What a row means").
type Issues struct {
	Inexact    int64 `json:"inexact,omitempty"`     // amounts that no column can hold: null
	Rounded    int64 `json:"rounded,omitempty"`     // amounts next to one that the column holds
	Unreadable int64 `json:"unreadable,omitempty"`  // fields that cannot be read: null
	Replaced   int64 `json:"replaced,omitempty"`    // texts with characters that cannot be had
	Repeated   int64 `json:"repeated,omitempty"`    // records of a key that another one has, too
	NoAccount  int64 `json:"no_account,omitempty"`  // records without an account in their key
	NoCurrency int64 `json:"no_currency,omitempty"` // and without a currency
	NullList   int64 `json:"null_list,omitempty"`   // null in a list's place, taken for an empty one
}

// JSON is an object of the counts, always in the same order, "" if there are none.
func (i *Issues) JSON() string {
	if *i == (Issues{}) {
		return ""
	}
	text, err := json.Marshal(i)
	if err != nil {
		panic(err) // there is nothing but numbers
	}
	return string(text)
}

// Each yields the counts that are not zero, under the names that they have in JSON.
func (i *Issues) Each(yield func(kind string, n int64) bool) {
	for _, count := range []struct {
		kind string
		n    int64
	}{
		{"inexact", i.Inexact},
		{"rounded", i.Rounded},
		{"unreadable", i.Unreadable},
		{"replaced", i.Replaced},
		{"repeated", i.Repeated},
		{"no_account", i.NoAccount},
		{"no_currency", i.NoCurrency},
		{"null_list", i.NullList},
	} {
		if count.n > 0 && !yield(count.kind, count.n) {
			return
		}
	}
}

// note counts what is odd about a record of the answer, whether or not it becomes
// a row: what stays as it was is odd every night. It is called once a record.
func (res *Result) note(rec any) {
	i := &res.Issues
	switch r := rec.(type) {
	case *finoos.Transaction:
		i.record(&r.Record)
		i.amount(r.Amount)
	case *finoos.AccountHistory:
		i.record(&r.Record)
		for k := range r.Balances {
			b := &r.Balances[k]
			i.Unreadable += int64(b.Unreadable)
			i.Replaced += int64(b.Replaced)
			i.amount(b.Balance)
		}
	case *finoos.Categorization:
		i.record(&r.Record)
	case *finoos.Contract:
		i.record(&r.Record)
		i.amount(r.Amount)
	case *finoos.Account:
		i.record(&r.Record)
		i.amount(r.Balance)
	case *finoos.BankLogin:
		i.record(&r.Record)
	case *finoos.User:
		i.record(&r.Record)
	}
}

func (i *Issues) record(r *finoos.Record) {
	i.Unreadable += int64(r.Unreadable)
	i.Replaced += int64(r.Replaced)
}

// amount counts an amount that money cannot take as it is.
func (i *Issues) amount(n finoos.Number) {
	if k := len(n) - len(".00"); n == "" || k > 0 && len(n) <= len("-999999999.99") && n[k] == '.' {
		return // as nearly all are
	}
	switch _, rounded, err := table.ParseAmount(string(n)); {
	case errors.Is(err, table.ErrInexact):
		i.Inexact++
	case rounded:
		i.Rounded++
	}
}
