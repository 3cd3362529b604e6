package e2e

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Links of documents, and the sections that comments name, as names_test.go has
// it for files.

// link is a Markdown link, or an image of a size; titles are not used.
var link = regexp.MustCompile(`(?:\]\(|src=")([^()\s"]+)[)"]`)

func TestEveryLinkOfTheDocsLeadsSomewhere(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	anchors := map[string]map[string]bool{}
	links := 0
	for _, p := range r.passages(t) {
		if path.Ext(p.path) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			target, anchor, _ := strings.Cut(m[1], "#")
			file := path.Join(path.Dir(p.path), target)
			if target == "" {
				file = p.path
			}
			if _, there := r.paths[file]; !there {
				t.Errorf("%s:%d links to %s, which is not there", p.path, p.line, m[1])
				continue
			}
			if anchors[file] == nil && path.Ext(file) == ".md" {
				anchors[file] = sections(t, file).anchors
			}
			if anchor != "" && !anchors[file][anchor] {
				t.Errorf("%s:%d links to %s, where there is no such section", p.path, p.line, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("found %d links: there are more", links)
	}
}

// outline is what a document can be entered by.
type outline struct {
	titles, anchors map[string]bool
}

var (
	headline    = regexp.MustCompile(`^#{1,6} (.*\S)`)
	punctuation = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// sections reads the headings of a document, and the anchors that a forge makes
// of them.
func sections(t *testing.T, name string) outline {
	t.Helper()
	o := outline{map[string]bool{}, map[string]bool{}}
	fenced := false
	for _, p := range lines(t, name, func(line string) string { return line }) {
		if strings.HasPrefix(p.text, "```") {
			fenced = !fenced
		}
		m := headline.FindStringSubmatch(p.text)
		if fenced || m == nil {
			continue
		}
		o.titles[m[1]] = true
		slug := strings.ReplaceAll(strings.ToLower(punctuation.ReplaceAllString(m[1], "")), " ", "-")
		anchor := slug
		for n := 1; o.anchors[anchor]; n++ {
			anchor = fmt.Sprintf("%s-%d", slug, n)
		}
		o.anchors[anchor] = true
	}
	return o
}

// namedSection is how comments refer to the contract.
var namedSection = regexp.MustCompile(`docs/([a-z-]+\.md), "([^"]+)"`)

func TestEverySectionThatACommentNamesExists(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		var text strings.Builder // a reference may go on in the next line
		for _, c := range goComments(t, name) {
			text.WriteString(strings.TrimPrefix(c.text, "//"))
		}
		for _, m := range namedSection.FindAllStringSubmatch(text.String(), -1) {
			if !sections(t, "docs/"+m[1]).titles[m[2]] {
				t.Errorf("%s: docs/%s has no section %q", name, m[1], m[2])
			}
		}
	}
}

// direct are the modules that a go.mod needs by itself.
func direct(t *testing.T, file string) (modules []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(data), -1) {
		modules = append(modules, m[1])
	}
	return modules
}

// A module of several is named by the path that they share.
func TestEveryDirectDependencyIsNamedWithItsReason(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Dependencies\n")
	named := regexp.MustCompile(`\b[a-z]+(?:\.[a-z]+)+/[\w./-]*\w`).FindAllString(section, -1)
	covers := func(name, module string) bool { return name == module || strings.HasPrefix(module, name+"/") }
	var missing, idle []string
	modules := direct(t, filepath.Join("..", "go.mod"))
	for _, m := range modules {
		if !slices.ContainsFunc(named, func(n string) bool { return covers(n, m) }) {
			missing = append(missing, m)
		}
	}
	modules = append(modules, direct(t, "go.mod")...)
	for _, n := range named {
		if !slices.ContainsFunc(modules, func(m string) bool { return covers(n, m) }) {
			idle = append(idle, n)
		}
	}
	if diff := cmp.Diff([2][]string{}, [2][]string{missing, idle}); len(modules) < 15 || diff != "" {
		t.Errorf("of %d modules, docs/design.md does not name the first of these, and the others are not needed:\n%s", len(modules), diff)
	}
}
