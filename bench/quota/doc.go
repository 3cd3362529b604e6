// Package quota measures, in real time and over HTTP, how much of a rate limit
// that nobody tells is used and how many requests are refused: by the client
// with its pacing, and by the same client without, which only tries again.
// `make bench-quota` runs it; ../README.md says how to read what it prints.
package quota
