package banksync

import (
	"fmt"
	"strings"
)

// shownMistakes is how many lines are told: a file in which all are wrong is wrong in
// one way.
const shownMistakes = 20

// AddressesError is what is wrong with the lines of a file of addresses. It has nothing
// of what they hold.
type AddressesError struct {
	File     string
	Mistakes []AddressMistake // the first ones
	More     int              // as many more
}

// AddressMistake is what is wrong with one line.
type AddressMistake struct {
	Line int // from 1
	What string
}

func (e *AddressesError) add(line int, err error) {
	if len(e.Mistakes) == shownMistakes {
		e.More++
		return
	}
	e.Mistakes = append(e.Mistakes, AddressMistake{Line: line, What: err.Error()})
}

// Error names the lines.
func (e *AddressesError) Error() string {
	lines := make([]string, 0, len(e.Mistakes)+1)
	for _, m := range e.Mistakes {
		lines = append(lines, fmt.Sprintf("line %d: %s", m.Line, m.What))
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d lines more", e.More))
	}
	return fmt.Sprintf("sync.user_ips: %s: %s", e.File, strings.Join(lines, "; "))
}
