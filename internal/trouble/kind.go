package trouble

// Kind is what a trouble is with: for each there is one at a time.
type Kind string

// The kinds, as they stand in reports and metrics.
const (
	Network Kind = "api_network" // no answer of the API, or half of one
	Errors  Kind = "api_errors"  // it answers that it has failed
	Token   Kind = "api_token"   // it grants no token
	Pause   Kind = "api_pause"   // it asks for a pause of all requests
	Store   Kind = "store"       // the object store does not serve
	Lease   Kind = "lease"       // another run is at work
)

// inOrder are the kinds, what others follow from first: a run that waits for a
// lease asks for nothing else.
var inOrder = []Kind{Lease, Pause, Network, Token, Errors, Store}

// words are the messages of a kind.
type words struct{ begins, lasts, ends, short string }

func (w words) of(what phase) string {
	switch what {
	case begins:
		return w.begins
	case lasts:
		return w.lasts
	case nothing, ends:
	}
	return w.ends
}

var said = map[Kind]words{
	Network: {"the API does not answer", "the API still does not answer", "the API answers again", "no answer"},
	Errors:  {"the API answers with errors", "the API still answers with errors", "the API answers without errors again", "API errors"},
	Token:   {"the API grants no token", "the API still grants no token", "the API grants tokens again", "no token"},
	Pause:   {"the API asks for a pause of all requests", "all requests still pause", "the pause of all requests is over", "pause asked for"},
	Store:   {"the store does not serve", "the store still does not serve", "the store serves again", "store fails"},
	Lease:   {"another run is at work: waiting for it", "another run is still at work: waiting for it", "the other run is no longer at work", "another run at work"},
}

// ofOne is what is said where one user alone is not served.
var ofOne = words{"the API fails for one user", "the API still fails for one user", "the API no longer fails for one user", ""}

// String is what a kind is called while it lasts.
func (k Kind) String() string { return said[k].begins }

// Short is the same where there is little room.
func (k Kind) Short() string { return said[k].short }
