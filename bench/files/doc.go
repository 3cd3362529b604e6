// Package files measures what a warehouse may leave unread of a lake, by the
// statistics of its row groups. `make bench-files` runs it; ../README.md says
// how to read what it prints.
package files
