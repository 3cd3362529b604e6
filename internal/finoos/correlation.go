package finoos

import (
	"context"
	"net/http"
	"time"
)

// Service is a part of the API that analyses, and has correlations.
type Service string

// The services.
const (
	Banking               Service = "banking"
	CategorizationService Service = "categorization"
	ContractsService      Service = "contracts"
	AccountHistoryService Service = "account-history"
)

// Correlation names the newest finished analysis of a service. At is when that
// analysis was started.
type Correlation struct {
	ID string
	At time.Time
}

var correlationSchema = newSchema("correlation", nil,
	ident("correlationID", func(c *Correlation) *string { return &c.ID }),
	instant("correlationTimestamp", func(c *Correlation) *time.Time { return &c.At }),
)

// Correlation returns the newest finished analysis of a service. While there is
// none, whatever the reason, the error is of class [NotFound].
func (c *Client) Correlation(ctx context.Context, userID string, s Service) (Correlation, error) {
	call, err := c.newCall(opCorrelation, userID, s, nil)
	if err != nil {
		return Correlation{}, err
	}
	correlation, found, err := single(ctx, c, call, correlationSchema, "")
	if err == nil && !found {
		e := call.failed(NotFound, nil)
		e.Status, e.Message = http.StatusNoContent, errNothing.Error()
		err = e
	}
	return correlation, err
}
