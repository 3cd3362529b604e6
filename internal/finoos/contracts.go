package finoos

import (
	"context"
	"time"
)

// Contract is a recurring payment that the analysis has found. Amount
// consistency, interval and duration are text or numbers, as spelled.
type Contract struct {
	ID, PartnerID, PartnerName                      string
	Amount                                          Number
	AmountConsistency, Interval, Duration, Category string
	Tags                                            []string
	NextBookingDate                                 time.Time // midnight UTC of the day as written
	NextBookingFrom, NextBookingTo                  time.Time // as well
	MandateReference                                string
	IsActive                                        Null[bool]
	TransactionIDs                                  []string
	Partner, Attributes                             string // JSON text, "" if null
	Record
}

var contractID = ident("contractId", func(c *Contract) *string { return &c.ID })

var contractSchema = newSchema("contract", func(c *Contract, r Record) { c.Record = r },
	contractID,
	alias("id", contractID),
	&fieldOf[Contract]{name: "contractPartner", set: setPartner},
	number("amount", func(c *Contract) *Number { return &c.Amount }),
	text("amountConsistency", func(c *Contract) *string { return &c.AmountConsistency }),
	text("interval", func(c *Contract) *string { return &c.Interval }),
	text("duration", func(c *Contract) *string { return &c.Duration }),
	text("category", func(c *Contract) *string { return &c.Category }),
	tags("tags", func(c *Contract) *[]string { return &c.Tags }),
	day("nextBookingDate", func(c *Contract) *time.Time { return &c.NextBookingDate }),
	&fieldOf[Contract]{name: "nextBookingRange", set: setBookingRange},
	text("mref", func(c *Contract) *string { return &c.MandateReference }),
	flag("isActive", func(c *Contract) *Null[bool] { return &c.IsActive }),
	textsOf("transactions", func(c *Contract) *[]string { return &c.TransactionIDs }, "transactionid"),
	raw("attributes", func(c *Contract) *string { return &c.Attributes }),
)

// Contracts returns the contracts of a user, those that have ended included.
func (c *Client) Contracts(ctx context.Context, userID string) (*List[Contract], error) {
	return listOf(ctx, c, opContracts, userID, contractSchema, "contracts")
}

var partnerSchema = newSchema("partner", nil,
	text("id", func(c *Contract) *string { return &c.PartnerID }),
	text("name", func(c *Contract) *string { return &c.PartnerName }),
)

// setPartner keeps the partner as a whole besides its id and name, so nothing
// of it is an extra field, unless one of these cannot be read.
func setPartner(d *recordDecoder, c *Contract, v value) error {
	before := d.odd.unreadable
	err := d.asOne(func() error {
		_, err := partnerSchema.decodeAt(d, c, v.raw, 0)
		return err
	})
	if err != nil {
		return err
	}
	c.Partner = d.compact(v)
	if d.odd.unreadable > before {
		return errKeep
	}
	return nil
}

type bookingRange struct {
	from, to time.Time
	more     bool
}

var (
	rangeFrom   = day("from", func(r *bookingRange) *time.Time { return &r.from })
	rangeTo     = day("to", func(r *bookingRange) *time.Time { return &r.to })
	rangeSchema = newSchema("range", func(r *bookingRange, rec Record) { r.more = rec.Extra != "" },
		rangeFrom, alias("since", rangeFrom), rangeTo, alias("until", rangeTo)).unhashed().refuseOdd()
)

// setBookingRange reads [from, to] or an object of the two. The form is our
// reading only: anything else cannot be read.
func setBookingRange(d *recordDecoder, c *Contract, v value) error {
	var r bookingRange
	var err error
	before := d.mark()
	switch v.kind() {
	case kindArray:
		r, err = rangeOfItems(v)
	case kindObject:
		err = d.asOne(func() error {
			r, err = rangeSchema.decode(d, v)
			return err
		})
	default:
		return errType
	}
	if err != nil {
		d.reset(before) // the field goes on as an extra one
		return err
	}
	c.NextBookingFrom, c.NextBookingTo = r.from, r.to
	if r.more {
		return errKeep
	}
	return nil
}

func rangeOfItems(v value) (r bookingRange, err error) {
	ends := []*time.Time{&r.from, &r.to}
	n := 0
	for a := v.items(); a.next(); n++ {
		if n == len(ends) {
			return bookingRange{}, errNotDate
		}
		if !a.value.says() {
			continue
		}
		if *ends[n], err = dayOf(a.value); err != nil {
			return bookingRange{}, err
		}
	}
	if n == 1 {
		return bookingRange{}, errNotDate
	}
	return r, nil
}
