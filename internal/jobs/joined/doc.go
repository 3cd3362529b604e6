// Package joined finds out whether one answer can stand for three: accounts,
// transactions and tags by one request, which nobody promises to be what the three
// endpoints tell (docs/design.md, "A first pull in one body").
//
//	trial.go      a run's trial: who is read both ways, who by one body, when it is
//	              off, and what is said of all that
//	digest.go     what an answer holds, field by field, in little memory
//	memory.go     what a job remembers: since when what was read in one body is in doubt
//
// Nothing here asks, reads or writes: jobs does.
package joined
