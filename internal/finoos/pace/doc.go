// Package pace finds out how fast requests may go, from nothing but which of
// them were refused, and holds them to it. It knows no HTTP and no API: its
// caller says when a request wants to leave, was served, or was refused for its
// rate.
//
//	Limiter.Wait       a request wants to leave
//	  gate             closed after a refusal, for as long as the server asks
//	  turns            one queue, in the order in which requests came
//	    governor       how far apart turns are: the rate
//	      law          alone: the process has the limit to itself, and measures it
//	                   among: shards share it, and level their parts without talking
//	      latency      growth stops while answers get slower
//	Limiter.Answered   one more was served; how long it took
//	Limiter.Refused    the law cuts the rate, the gate closes
//
// # What may fail
//
// Waiting ends with its context, or where the caller cannot wait for as long as
// the gate is closed. Nothing else fails. A law may be wrong: the governor keeps
// the rate between a request in five seconds and the ceiling whatever a law
// says, and a server that asks for hours is tried again after a quarter of one.
// A rate that is too high costs refusals, which the caller repeats; one that is
// too low costs time, and looks upwards find that out.
//
// # Where to read
//
// refusals.go tells who is refused alone, which is no matter of the rate; gate.go
// tests long pauses.
// governor.go has the problem and what both laws have in common, alone.go and
// among.go the laws with their constants and what was tried and left. The laws
// never look at a clock, so the tests of this package watch hours of them in a
// model; the tests of the client watch real requests at a hidden limit.
package pace
