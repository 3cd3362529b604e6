package finoos

import "context"

// SyncRequest asks for fresh data from the bank.
type SyncRequest struct {
	BankLoginID string // "" = all logins of the user
	UserIP      string // sent as User-IP; the API requires it
}

// SyncResult is what came of a synchronization session.
type SyncResult struct {
	Outcome            Outcome
	Status             int // HTTP status, 0 if none was received
	ErrorType, Message string
	SessionID          string
	CorrelationID      string // the analysis that the session started
	RedirectURL        Secret // where the user redoes the strong authentication
}

// Outcome is how a synchronization session ended.
type Outcome string

// The outcomes.
const (
	Synced              Outcome = "synced"
	InterfaceDeprecated Outcome = "interface_deprecated"
	CredentialsRequired Outcome = "credentials_required"
	Blocked             Outcome = "blocked"
	DailyLimit          Outcome = "daily_limit"
	SCARequired         Outcome = "sca_required"
	Rejected            Outcome = "rejected"
	SyncForbidden       Outcome = "forbidden"
	Gone                Outcome = "gone"
	Failed              Outcome = "failed"
	Unknown             Outcome = "unknown"
)

func (c *Client) Synchronize(ctx context.Context, userID string, r SyncRequest) (SyncResult, error) {
	panic("todo")
}
