package finoos

import "context"

// Categorization is the tags of one transaction.
type Categorization struct {
	TransactionID, AccountID string
	Tags                     []string
	Record
}

func (c *Client) Categorization(ctx context.Context, userID, since string) (*List[Categorization], error) {
	panic("todo")
}
