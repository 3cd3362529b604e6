package e2e

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is where a file is too long to be read in one go.
const maxLines = 500

// goFiles are the repository's own Go files, by path from here.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), ".") && e.Name() != "..":
			return fs.SkipDir
		case !e.IsDir() && strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	return files
}

func TestNoFileIsTooLongToRead(t *testing.T) {
	t.Parallel()
	for _, path := range goFiles(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(data, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", path, n, maxLines)
		}
	}
}

// The linter lets tests call time.Sleep, since it costs nothing in a synctest
// bubble. Here is where the rest is caught: sleep in packages that have none.
func TestTestsSleepInSynctestBubblesOnly(t *testing.T) {
	t.Parallel()
	bubbles := map[string]bool{}
	sleeps := map[string][]string{} // by folder
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		bubbles[dir] = bubbles[dir] || imports(file, "testing/synctest")
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" {
					sleeps[dir] = append(sleeps[dir], fset.Position(sel.Pos()).String())
				}
			}
			return true
		})
	}
	for dir, places := range sleeps {
		if !bubbles[dir] {
			t.Errorf("sleep in real time: %s", places)
		}
	}
}

func imports(file *ast.File, path string) bool {
	for _, i := range file.Imports {
		if i.Path.Value == `"`+path+`"` {
			return true
		}
	}
	return false
}
