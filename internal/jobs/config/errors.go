package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration, and where. It never
// holds a secret, nor the value of an environment variable.
type Problem struct {
	File    string `json:"file"`             // as it was named by the caller
	Line    int    `json:"line,omitempty"`   // from 1; 0 where there is no place to point at
	Column  int    `json:"column,omitempty"` // from 1
	Key     string `json:"key,omitempty"`    // the full path of the key, such as jobs.nightly.timezone
	Message string `json:"message"`          // what is wrong, and what was probably meant
}

// String formats p the way compilers do, so that editors can jump to it.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.Message)
	return b.String()
}

// Error is everything that is wrong with one configuration, in the order
// of the file.
type Error struct {
	Problems []Problem
}

// Error returns one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// configError is nil for no problems.
func configError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{Problems: sorted(problems)}
}

// sorted sorts problems by place and drops repetitions, which aliases in the file
// lead to.
func sorted(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(problems)
}
