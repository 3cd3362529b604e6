package finoos

import (
	"context"
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

func (c *Client) Correlation(ctx context.Context, userID string, s Service) (Correlation, error) {
	panic("todo")
}
