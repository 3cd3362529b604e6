// Package banksync is the policy of bank synchronisations (docs/design.md, "Bank
// synchronisations"): which login is asked for, what is remembered of a session, and
// whose address the bank is told. It asks nobody itself; package jobs does.
package banksync
