package jobs

// listExtent is what is known of the list of users as a whole, before sharding.
type listExtent struct {
	Whole  bool   // all of it was read
	Named  int64  // users, each once
	Reason string // why it is not whole
}

// guessedExtent is what a shard makes of its part of a list that another has read.
func guessedExtent(l *listing) listExtent {
	n, err := l.held.count()
	if err != nil {
		return listExtent{Reason: err.Error()}
	}
	return listExtent{Whole: true, Named: n * int64(l.o.Shard.Count)}
}
