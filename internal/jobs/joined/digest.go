package joined

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"finoos-syncer/internal/finoos"
)

// Digest is what an answer holds of a stream, whatever the order of its records:
// how many, and for each field the sum of the hashes of what it says, each beside the
// key of its record. So two answers of any size are compared field by field.
type Digest struct {
	Records int
	Fields  map[string]uint64 // by the API's names, lower-cased; of those that no column holds, too
	// Sum is that of the records' own fingerprints, each beside its key: as they are
	// compared from night to night.
	Sum uint64
	// Odd counts the fields that could not be read, or were replaced.
	Odd int

	hash xxhash.Digest
}

// mostFields bounds the fields that are told apart: names may be data.
const mostFields = 100

// Records is an answer to go through.
type Records[T any] interface {
	Each(visit func(*T) error) error
}

// OfAccounts goes through accounts.
func OfAccounts(list Records[finoos.Account]) (*Digest, error) {
	d := &Digest{Fields: map[string]uint64{}}
	err := list.Each(func(a *finoos.Account) error {
		d.record(&a.Record)
		key := d.key(a.ID)
		for name, text := range map[string]string{
			"accountnumber": a.Number, "name": a.Name, "owner": a.Owner, "type": a.Type, "iban": a.IBAN, "bic": a.BIC, "bankcode": a.BankCode,
			"bankname": a.BankName, "currency": a.Currency, "balance": string(a.Balance), "status": a.Status, "bankloginid": a.BankLoginID,
		} {
			d.add(key, name, text)
		}
		d.add(key, "accountid", a.ID)
		d.addExtra(key, a.Extra)
		d.Sum += mix(key, a.Hash)
		return nil
	})
	return d, err
}

// OfTransactions goes through transactions.
func OfTransactions(list Records[finoos.Transaction]) (*Digest, error) {
	d := &Digest{Fields: map[string]uint64{}}
	err := list.Each(func(t *finoos.Transaction) error {
		d.record(&t.Record)
		key := d.key(t.AccountID, t.ID)
		for name, text := range map[string]string{
			"amount": string(t.Amount), "currency": t.Currency, "bookingdate": dayText(t.BookingDate), "valuedate": dayText(t.ValueDate),
			"bookingtext": t.BookingText, "purpose": t.Purpose, "merchantcategorycode": t.MerchantCategoryCode,
			"paymentpartner.name": t.PartnerName, "paymentpartner.iban": t.PartnerIBAN, "paymentpartner.bic": t.PartnerBIC,
			"paymentpartner.creditorid": t.PartnerCreditorID, "paymentpartner.mandatereference": t.PartnerMandateReference,
		} {
			d.add(key, name, text)
		}
		d.add(key, "transactionid", t.ID)
		if t.Tags != nil {
			d.add(key, tagsField, fmt.Sprintf("%q", t.Tags))
		}
		d.addExtra(key, t.Extra)
		d.Sum += mix(key, t.Hash)
		return nil
	})
	return d, err
}

// OfTags goes through tags: each of a transaction is a record.
func OfTags(list Records[finoos.Categorization]) (*Digest, error) {
	d := &Digest{Fields: map[string]uint64{}}
	err := list.Each(func(c *finoos.Categorization) error {
		d.Odd += c.Unreadable + c.Replaced
		for _, tag := range c.Tags {
			d.Records++
			key := d.key(c.AccountID, c.TransactionID, tag)
			d.add(key, tagsField, tag)
			d.addExtra(key, c.Extra)
			d.Sum += mix(key, xxhash.Sum64String(c.Extra))
		}
		return nil
	})
	return d, err
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func (d *Digest) record(r *finoos.Record) {
	d.Records++
	d.Odd += r.Unreadable + r.Replaced
}

// key is the hash of the parts of one.
func (d *Digest) key(parts ...string) uint64 {
	d.hash.Reset()
	for _, part := range parts {
		_, _ = d.hash.WriteString(part) // which never fails
		_, _ = d.hash.WriteString("\x00")
	}
	return d.hash.Sum64()
}

// mix is the hash of two hashes.
func mix(a, b uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15 // spreads the one over the other
	a = (a ^ a>>32) * odd
	return (a + b) * odd
}

// add takes in what a field says; what says nothing is as if it were not there.
func (d *Digest) add(key uint64, name, text string) {
	if text == "" {
		return
	}
	if _, known := d.Fields[name]; !known && len(d.Fields) == mostFields {
		name = ""
	}
	d.Fields[name] += mix(key, xxhash.Sum64String(text))
}

// addExtra takes in the fields that no column holds, each by its name.
func (d *Digest) addExtra(key uint64, extra string) {
	if extra == "" {
		return
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(extra), &fields) != nil { // names twice, in a text that is JSON
		d.add(key, "", extra)
		return
	}
	for name, text := range fields {
		d.add(key, extraMark+strings.ToLower(name), string(text))
	}
}

// tagsField is the name of the field that both have.
const tagsField = "tags"

// extraMark stands before the names of fields that no column holds.
const extraMark = "_extra."

// extras are these names.
func (d *Digest) extras() []string {
	var names []string
	for name := range d.Fields {
		if field, is := strings.CutPrefix(name, extraMark); is {
			names = append(names, field)
		}
	}
	return names
}

// differsFrom names the fields that the two say differently, in order; nil where they
// are the same. Where they hold other records that is told first.
func (d *Digest) differsFrom(separate *Digest) []string {
	if d.Records == separate.Records && d.Sum == separate.Sum && d.Odd == separate.Odd {
		return nil
	}
	var names []string
	if d.Records != separate.Records {
		names = append(names, fmt.Sprintf("%d of %d records", d.Records, separate.Records))
	}
	fields := maps.Clone(separate.Fields)
	maps.Copy(fields, d.Fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if d.Fields[name] == separate.Fields[name] {
			continue
		}
		if strings.HasPrefix(name, extraMark) { // what it is called may be data
			name = "_extra"
		}
		if name = cmp.Or(name, "others"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = append(names, "how a field is written")
	}
	return names
}
