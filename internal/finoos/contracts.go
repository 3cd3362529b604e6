package finoos

import (
	"context"
	"time"
)

// Contract is a recurring payment that the analysis has found.
type Contract struct {
	ID, PartnerID, PartnerName                      string
	Amount                                          Number
	AmountConsistency, Interval, Duration, Category string
	Tags                                            []string
	NextBookingDate, NextBookingFrom, NextBookingTo time.Time
	MandateReference                                string
	IsActive                                        Null[bool]
	TransactionIDs                                  []string
	Partner, Attributes                             string // JSON text, "" if null
	Record
}

func (c *Client) Contracts(ctx context.Context, userID string) (*List[Contract], error) {
	panic("todo")
}
