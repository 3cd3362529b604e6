package finoos

import "context"

// Account is a bank account of a user.
type Account struct {
	ID, Number, Name, Owner, Type string
	IBAN, BIC, BankCode, BankName string
	Currency                      string
	Balance                       Number
	Status, BankLoginID           string
	Record
}

func (c *Client) Accounts(ctx context.Context, userID string) (*List[Account], error) { panic("todo") }
