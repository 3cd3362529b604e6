package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// How the YAML library words its errors.
var (
	syntaxPlace   = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '([^']*)'`)
)

// syntax reports why a file is no YAML. The library says what it met, and not what was
// meant, so what people stumble over is looked for in the text itself; where none of
// that is found, its words have to do.
func (l *loader) syntax(data []byte, err error) {
	text, at := err.Error(), 0
	if m := syntaxPlace.FindStringSubmatch(text); m != nil {
		at, _ = strconv.Atoi(m[1]) // 0 where none is told
		text = text[len(m[0]):]
	}
	lines := strings.Split(string(data), "\n")
	before := len(l.problems)
	l.tabs(lines)
	l.unquoted(lines)
	for _, p := range l.problems[before:] {
		if at == 0 || p.Line-at <= 1 && at-p.Line <= 1 {
			return // it is what the library met
		}
	}
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		text, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		place := &yaml.Node{Line: 1 + bytes.Count(text, []byte("\n")), Column: len(text) - bytes.LastIndexByte(text, '\n')}
		l.problem(place, "", "is no YAML: an alias of nothing; quote a value that begins with *")
		return
	}
	if n := misplaced(lines); n > 0 {
		l.problem(&yaml.Node{Line: n, Column: 1 + indentOf(lines[n-1])}, "", "is no YAML: this line begins at none of the columns of the lines above: lines of one mapping begin at the same")
		return
	}
	l.problem(&yaml.Node{Line: at, Column: 1}, "", "is no YAML: %s", inOurWords(text))
}

// tabs reports the lines that are indented by one.
func (l *loader) tabs(lines []string) {
	for i, line := range lines {
		rest := strings.TrimLeft(line, " ")
		if strings.HasPrefix(rest, "\t") && !isBlank(line) {
			l.problem(&yaml.Node{Line: i + 1, Column: 1 + len(line) - len(rest)}, "", "a tab: YAML is indented by spaces only; write two for each level")
		}
	}
}

// isBlank reports whether nothing but a comment stands in a line.
func isBlank(line string) bool {
	rest := strings.TrimSpace(line)
	return rest == "" || rest[0] == '#'
}

// unquotable is a value that begins with what means something else in YAML.
var unquotable = regexp.MustCompile("^( *(?:- +)?([A-Za-z0-9_.-]+):[ \t]+)([@`%]|\\*[^A-Za-z0-9_-])")

// unquoted reports values that need quotes. Only a schedule is repeated: any other may
// be a secret.
func (l *loader) unquoted(lines []string) {
	for i, line := range lines {
		m := unquotable.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		value, _, _ := strings.Cut(strings.TrimRight(line[len(m[1]):], " \t\r"), " #")
		write := "put the value in quotes"
		if m[2] == "schedule" && len(value) <= 60 {
			write = "write " + m[2] + ": " + strconv.Quote(strings.TrimSpace(value))
		}
		l.problem(&yaml.Node{Line: i + 1, Column: 1 + len(m[1])}, "", "a value that begins with %s needs quotes: %s", m[3][:1], write)
	}
}

// misplaced finds the first line that is less indented than the one above, and as much
// as none before, or a key below one that has a value already; 0 for none. What stands in quotes, brackets and blocks is not looked
// into: these lines are indented at will.
func misplaced(lines []string) int {
	var open []int
	full := false // the line above has a value
	for i, line := range lines {
		if isBlank(line) {
			continue
		}
		if strings.ContainsAny(line, "[]{}|>\"'") && strings.Count(line, `"`)%2+strings.Count(line, "'")%2 > 0 || unclosed.MatchString(line) {
			return 0
		}
		indent := indentOf(line)
		for len(open) > 0 && open[len(open)-1] > indent {
			open = open[:len(open)-1]
			if len(open) == 0 || open[len(open)-1] < indent {
				return i + 1
			}
		}
		if len(open) == 0 || open[len(open)-1] < indent {
			if full && keyOnly.MatchString(line) {
				return i + 1
			}
			open = append(open, indent)
		}
		full = keyAndValue.MatchString(line)
	}
	return 0
}

// What a line of a mapping looks like.
var (
	keyOnly     = regexp.MustCompile(`^ *[A-Za-z0-9_.-]+:(\s|$)`)
	keyAndValue = regexp.MustCompile(`^ *[A-Za-z0-9_.-]+:\s+[^#&!|>\s]`)
)

// unclosed is a line that goes on in the next.
var unclosed = regexp.MustCompile(`[|>][0-9+-]*\s*$|[\[{][^\]}]*$`)

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// inOurWords says what the library means, where it is known what leads to it.
func inOurWords(text string) string {
	for _, w := range []struct{ theirs, ours string }{
		{"mapping values are not allowed", `a key, and before it something else: begin a new line, or put a value that has ": " in it in quotes`},
		{"did not find expected ',' or '", "a list or mapping in brackets is not closed, or a comma is missing in it"},
		{"did not find expected node content", "a bracket is opened or a comma stands here, and nothing follows"},
		{"found unexpected end of stream", "a quote is not closed"},
		{"could not find expected ':'", `a key without its colon: write "key: value"`},
		{"found unexpected document indicator", "a quote is not closed"},
		{"found unknown escape character", `a \ in double quotes means something else: write it twice, or take single quotes`},
		{"control characters are not allowed", "it holds control characters: is it a text file?"},
		{"invalid leading UTF-8 octet", "it is not UTF-8: save it as that"},
		{"incomplete UTF-", "it is not UTF-8: save it as that"},
	} {
		if strings.Contains(text, w.theirs) {
			return fmt.Sprintf("%s (%s)", w.ours, text)
		}
	}
	return text
}
