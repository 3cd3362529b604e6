// Package report is the run report: what a run did, as the command line prints
// it, the page shows it, metrics count it and the next run reads it.
//
//	run ── tally (package jobs) ──> Report ──> runs/<run_id>.json
//	                                  │            │
//	               page, metrics, text            Find: one run, by its id or the latest
//	                                              Past: the runs of the last weeks, newest first
//
// # Of fixed size
//
// A report is as long for an hour as for a month: its course ([Timeline]) has at
// most 240 points, whose stretches get longer; ages are counted in classes
// ([AgeCount]), the slowest users of each stage are ten ([Slowest]), and
// failures are listed up to [MaxFailures], while FailuresByClass has all of
// them, as are users who are needed ([Needed]). It names users by their ids only:
// those of the tables, where these are masked. What the shards of a run say together
// is a [Group]; lists of users are as long as is asked for ([Keeper]).
//
// # What may fail
//
// [Find] tells a run that is not there ([NotFoundError]) from a bucket that does
// not answer. [Past] passes over what is no report of ours: one that is damaged,
// or of a later version, must not keep a run from starting. Fields are only ever
// added, so that a report of any earlier version can be read.
package report
