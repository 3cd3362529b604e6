package finoos

// Pacing is the pace of one or several clients: they keep together below one
// ceiling, adapt to one limit, and pause together when one of them is refused.
// Safe for concurrent use.
type Pacing struct {
	gate *gate
	pace *pace
}

// NewPacing makes a pace to share by [Config.Pacing]. perSecond and shards are as
// in [Config].
func NewPacing(perSecond float64, shards int) *Pacing {
	return &Pacing{gate: &gate{}, pace: newPace(perSecond, shards)}
}
