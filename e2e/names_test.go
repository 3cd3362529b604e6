package e2e

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Comments and documents lead readers to files. What is renamed or moved leaves
// its name behind; here all of them are looked up.

// repository is what names are looked up in: every file and folder by its path
// from the top, as it is checked out.
type repository struct {
	paths map[string]bool     // true for a folder
	bases map[string][]string // base name of a file -> its paths
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{paths: map[string]bool{}, bases: map[string][]string{}}
	left := []string{".git", ".cache", "bin", "lake"} // beside it or made by it, not in it
	err := filepath.WalkDir("..", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(p, ".."+string(filepath.Separator)))
		if e.IsDir() && slices.Contains(left, name) {
			return fs.SkipDir
		}
		if name == ".." || name == ".git" { // a file in a work tree
			return nil
		}
		r.paths[name] = e.IsDir()
		if !e.IsDir() {
			r.bases[e.Name()] = append(r.bases[e.Name()], name)
		}
		return nil
	})
	if err != nil || len(r.paths) < 100 {
		t.Fatalf("found %d files: %v", len(r.paths), err)
	}
	return r
}

// file says whether a name means a file of the repository: from its top, from
// the folder of the file that names it, or as the end of a path. A name with a
// star means at least one.
func (r *repository) file(name, from string) bool {
	for _, p := range []string{path.Clean(name), path.Join(path.Dir(from), name)} {
		if folder, there := r.paths[p]; there && !folder {
			return true
		}
	}
	if !strings.ContainsAny(name, "*") {
		return slices.ContainsFunc(r.bases[path.Base(name)], func(p string) bool { return strings.HasSuffix("/"+p, "/"+name) })
	}
	steps := strings.Count(name, "/") + 1
	for p := range r.paths {
		all := strings.Split(p, "/")
		if len(all) < steps {
			continue
		}
		if ok, err := path.Match(name, strings.Join(all[len(all)-steps:], "/")); ok && err == nil {
			return true
		}
	}
	return false
}

// passage is a piece of text for people, and where it stands.
type passage struct {
	path string
	line int
	text string
}

// passages are the documents, and the comments of everything else.
func (r *repository) passages(t *testing.T) []passage {
	t.Helper()
	var all []passage
	for name, folder := range r.paths {
		if folder || strings.Contains(name, "testdata/") {
			continue
		}
		switch path.Ext(name) {
		case ".go":
			all = append(all, goComments(t, name)...)
		case ".md":
			all = append(all, lines(t, name, func(line string) string { return line })...)
		case ".yaml", ".yml", "":
			all = append(all, lines(t, name, afterHash)...)
		}
	}
	slices.SortFunc(all, func(a, b passage) int { return strings.Compare(a.path, b.path) })
	return all
}

// afterHash is the comment of a line of YAML, a Makefile, a shell script.
func afterHash(line string) string {
	_, comment, _ := strings.Cut(line, "#")
	return comment
}

func lines(t *testing.T, name string, part func(string) string) (all []passage) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		all = append(all, passage{name, n, part(line)})
	}
	return all
}

// goComments are the comments of a Go file, each as a whole.
func goComments(t *testing.T, name string) (all []passage) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, filepath.Join("..", filepath.FromSlash(name)), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			all = append(all, passage{name, fset.Position(c.Pos()).Line, c.Text})
		}
	}
	return all
}

var (
	// fileName is what looks like a file of ours: by its ending, or by the folder
	// that it begins with.
	fileName = regexp.MustCompile(`[\w.*/{}<>$~-]*[\w*}>]\.(?:go|md|ya?ml|sql|txtar|css|html|mod|sum|png|sh)\b`)
	placed   = regexp.MustCompile(`(?:^|[\s("'` + "`" + `])((?:cmd|internal|docs|k8s|e2e|bench|tools|\.ci)/[\w./*-]*[\w*])`)
)

// notOurs are names of files that are no part of the repository, and why.
var notOurs = map[string]string{
	"run.html": "what the reader has `syncer report` write",
}

func TestEveryFileThatACommentOrDocumentNamesExists(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	for _, p := range r.passages(t) {
		for _, name := range r.strangers(p) {
			t.Errorf("%s:%d names %s, which is no file here", p.path, p.line, name)
		}
	}
}

// strangers are the names in a passage that mean nothing in the repository.
func (r *repository) strangers(p passage) (names []string) {
	for _, at := range fileName.FindAllStringIndex(p.text, -1) {
		name := p.text[at[0]:at[1]]
		if !foreign(name, p.text[:at[0]], p.text[at[1]:]) && !r.file(name, p.path) {
			names = append(names, name)
		}
	}
	for _, m := range placed.FindAllStringSubmatch(p.text, -1) {
		name := strings.TrimRight(m[1], ".")
		if _, there := r.paths[name]; !there && !r.file(name, p.path) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// longer is how a name goes on that only seems to have ended: go.yaml.in.
var longer = regexp.MustCompile(`^\.[a-z]`)

// foreign says that a name, between what stands around it, is no claim about the
// repository: it is an address, a place on somebody's disk, or has a part that
// the reader fills in.
func foreign(name, before, after string) bool {
	return notOurs[name] != "" || longer.MatchString(after) || strings.HasSuffix(before, ":") && strings.HasPrefix(name, "//") ||
		strings.HasPrefix(name, "/") || strings.ContainsAny(name, "{}<>$~")
}

// A test that looks for names finds those that are wrong.
func TestNamesOfFilesThatAreNotThereAreFound(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	for text, want := range map[string][]string{
		"see repo_test.go and docs/warehouse.md, or ../README.md": nil,
		"read_*.go, spool*.go; internal/sink, e2e/repo_test.go":   nil,
		"see nowhere.go":                                {"nowhere.go"},
		"DESIGNS.md, Command line":                      {"DESIGNS.md"},
		"docs/warehouses.md":                            {"docs/warehouses.md"},
		"internal/sinks does it":                        {"internal/sinks"},
		"docs/repo_test.go stands in another folder":    {"docs/repo_test.go"},
		"no_such_*.go":                                  {"no_such_*.go"},
		"https://example.org/NOTHING.md, and <name>.md": nil,
		"go.yaml.in/yaml/v3; /etc/syncer/settings.yaml": nil,
	} {
		if got := r.strangers(passage{path: "e2e/doc.go", text: text}); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
