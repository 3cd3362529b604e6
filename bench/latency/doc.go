// Package latency measures how near a run comes to the requests a second that
// its workers allow, over real HTTP with an API that takes its time. `make
// bench-latency` runs it; ../README.md says how to read what it prints.
package latency
