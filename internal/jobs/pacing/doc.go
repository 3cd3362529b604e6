// Package pacing is what a job remembers of the limit of its API, so that the next
// run need not look for it (docs/design.md, "The limit that was found").
//
//	memory.go   the object of state: by API client, of the last runs, by shard; what
//	            of it can be true, and what all shards had together
//
// Nothing here asks, reads or writes: jobs does. How a limit is found, and what is
// made of one that is known, is finoos/pace.
package pacing
