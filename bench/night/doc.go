// Package night measures the night of a million users of whom next to nobody
// has changed: users a second, memory, start-up time, requests, and the bytes
// that are read and written. `make bench-night` runs it; ../README.md says how
// to read what it prints.
package night
