// Package quiet measures what a night of quiet users costs: requests a user, under each
// way of asking whether a user has anything new, and whether the lake is the truth of the
// simulator after all. `make bench-quiet` runs it; ../README.md says how to read what it
// prints.
package quiet
