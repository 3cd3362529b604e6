package config

import (
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/human"
)

// StreamSyncSessions is where a cursor remembers the outcomes of a user's
// sync sessions. It is no stream of its own: nothing is pulled under it.
const StreamSyncSessions Stream = "sync_sessions"

// StreamMissing is where a cursor remembers that a user answered 404, and since
// when. It is no stream of its own, and has no state: being seen ends it.
const StreamMissing Stream = "missing"

// StreamLost is where it remembers since when a user's analyses are lost, in the
// same way: having one ends it.
const StreamLost Stream = "lost_analysis"

// StreamProbe is where it remembers which services are not waited for any more, though
// they have not come to the analysis of the others.
const StreamProbe Stream = "probe"

// ServiceOf is the service whose correlation tells whether a stream may have
// changed; users and bank_logins have none.
func ServiceOf(s Stream) (finoos.Service, bool) {
	switch s {
	case StreamAccounts, StreamTransactions:
		return finoos.Banking, true
	case StreamCategorization:
		return finoos.CategorizationService, true
	case StreamContracts:
		return finoos.ContractsService, true
	case StreamAccountHistory:
		return finoos.AccountHistoryService, true
	default:
		return "", false
	}
}

// ScopeOf is the scope that a stream's operations need; empty means that a
// token is enough.
func ScopeOf(s Stream) string {
	switch s {
	case StreamBankLogins, StreamAccounts, StreamTransactions:
		return "banking"
	case StreamCategorization:
		return "categorization"
	case StreamContracts:
		return "contracts"
	case StreamAccountHistory:
		return "account-history"
	default:
		return ""
	}
}

// PullOrder returns the job's streams in the order in which a user is
// pulled: accounts before the transactions that refer to them.
func PullOrder(job *Job) []Stream {
	var out []Stream
	for _, s := range Streams() {
		if slices.Contains(job.Streams, s) {
			out = append(out, s)
		}
	}
	return out
}

// ServicesOf are the services that streams need, each once.
func ServicesOf(streams []Stream) []finoos.Service {
	var out []finoos.Service
	for _, s := range streams {
		if service, ok := ServiceOf(s); ok && !slices.Contains(out, service) {
			out = append(out, service)
		}
	}
	return out
}

// JobNames lists the jobs of a configuration, for an error about a name that is none of
// them, with the one that was probably meant.
func JobNames(c *Config, name string) string {
	if len(c.Jobs) == 0 {
		return "none"
	}
	names := slices.Sorted(maps.Keys(c.Jobs))
	return strings.Join(names, ", ") + human.Meant(name, names)
}

// Remembered are all streams that a user may have a cursor of: those that are pulled,
// and those where a job remembers something else.
func Remembered() []Stream {
	return append(Streams(), StreamSyncSessions, StreamMissing, StreamLost, StreamProbe)
}
