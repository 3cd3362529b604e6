package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"finoos-syncer/internal/human"
)

// table lays cells out in columns: numbers to the right, texts to the left. The
// first row is the heading.
type textTable struct {
	rows    [][]string
	numeric []bool // by column
}

func newTable(heading ...string) *textTable {
	return &textTable{rows: [][]string{heading}, numeric: make([]bool, len(heading))}
}

// maxCell is how many characters of a text a cell has at most.
const maxCell = 200

// maxFinding is how many characters each part of a finding has at most: keys of
// objects are up to 1,024 bytes.
const maxFinding = 1100

// add appends a row of strings and whole numbers, one for each heading.
func (t *textTable) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		switch v := cell.(type) {
		case int64:
			row[i], t.numeric[i] = count(v), true
		case size:
			row[i], t.numeric[i] = v.String(), true
		default:
			row[i] = human.Line(fmt.Sprint(v), maxCell)
		}
	}
	t.rows = append(t.rows, row)
}

// lines returns the rows, padded, without spaces at the end.
func (t *textTable) lines() []string {
	widths := make([]int, len(t.numeric))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(t.rows))
	for r, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if cells[i] = cell + pad; t.numeric[i] {
				cells[i] = pad + cell
			}
		}
		lines[r] = strings.TrimRight(strings.Join(cells, "  "), " ")
	}
	return lines
}

// besideOrBelow joins two blocks of lines, beside each other where a terminal is wide
// enough for both.
func besideOrBelow(left, right []string) []string {
	for _, gap := range []int{5, 3, 2} {
		both := beside(left, right, gap)
		if !slices.ContainsFunc(both, func(line string) bool { return utf8.RuneCountInString(line)+2 > lineWidth }) {
			return both
		}
	}
	return slices.Concat(left, []string{""}, right)
}

// beside joins two blocks of lines, the second to the right of the first.
func beside(left, right []string, gap int) []string {
	width := 0
	for _, l := range left {
		width = max(width, utf8.RuneCountInString(l))
	}
	lines := make([]string, max(len(left), len(right)))
	for i := range lines {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(l))
		lines[i] = strings.TrimRight(l+pad+strings.Repeat(" ", gap)+r, " ")
	}
	return lines
}

// printout collects text and writes it at once, so that only one error is looked at.
type printout struct{ strings.Builder }

func (p *printout) printf(format string, args ...any) { _, _ = fmt.Fprintf(p, format, args...) }

const (
	lineWidth  = 80 // of a terminal
	labelWidth = 10
	// longestText bounds what is printed of a text that somebody else wrote.
	longestText = 1000
)

// item is a line of a summary: a label, and a text that goes on below itself where it
// is long. What others wrote in it is escaped.
func (p *printout) item(label, format string, args ...any) {
	for _, line := range human.Wrap(human.Line(fmt.Sprintf(format, args...), longestText), lineWidth-labelWidth-2) {
		p.printf("%s\n", strings.TrimRight(fmt.Sprintf("  %-*s%s", labelWidth, label, line), " "))
		label = ""
	}
}

func (p *printout) indent(lines []string) {
	for _, l := range lines {
		p.printf("%s\n", strings.TrimRight("  "+l, " "))
	}
}

func (p *printout) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, p.String())
	return err
}

func count(n int64) string { return human.Count(n) }

// size is a number of bytes.
type size int64

func (s size) String() string { return human.Size(int64(s)) }
