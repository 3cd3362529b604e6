// Package commit measures what a commit, a checkpoint and a start cost as the
// number of users, tables and commits grows. `make bench-commit` runs it;
// ../README.md says how to read what it prints.
package commit
