// Package probing decides of which services a user is asked, from what the lake
// knows alone: of all, or of one, whose answer is believed for the others
// (docs/design.md, "Whom to ask").
//
//	choose.go   what is owed to a user; the one service that tells most; what it
//	            was audited for, and what that found
//	memory.go   what a job remembers of its runs for it: who is believed, and
//	            whether the one has misled
//
// Nothing here asks, reads or writes: jobs does, a run and a plan alike.
package probing
