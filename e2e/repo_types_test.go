package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// repoPackage is a package of the main module, with its types.
type repoPackage struct {
	ImportPath string   `json:"ImportPath"`
	Dir        string   `json:"Dir"`
	Export     string   `json:"Export"`
	GoFiles    []string `json:"GoFiles"`
	Module     *struct {
		Main bool `json:"Main"`
	} `json:"Module"`

	fset  *token.FileSet
	types *types.Package
}

// repoPackages type-checks the main module's packages without their tests. What
// they import comes from the build cache: from source it would take a minute.
// All tests look at the same ones.
func repoPackages(t *testing.T) []*repoPackage {
	t.Helper()
	own, err := checkedPackages()
	if err != nil {
		t.Fatal(err)
	}
	return own
}

var checkedPackages = sync.OnceValues(func() ([]*repoPackage, error) {
	cmd := exec.CommandContext(context.Background(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Module", "./...") //nolint:forbidigo // outlives the test that comes first
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	var own []*repoPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := &repoPackage{fset: token.NewFileSet()}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Main {
			own = append(own, p)
		}
	}
	for _, p := range own {
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(p.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, file)
		}
		config := types.Config{Importer: importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
		if p.types, err = config.Check(p.ImportPath, p.fset, files, nil); err != nil {
			return nil, err
		}
	}
	return own, nil
})

// named calls do with every type that a package declares outside functions.
func (p *repoPackage) named(do func(*types.Named)) {
	scope := p.types.Scope()
	for _, name := range scope.Names() {
		if of, ok := scope.Lookup(name).(*types.TypeName); ok && !of.IsAlias() {
			if n, ok := of.Type().(*types.Named); ok {
				do(n)
			}
		}
	}
}

// A type that goes on with another's name hides what that one does: the reader
// of a call cannot tell which of the two is meant. An interface is embedded for
// nothing else, so it may be decorated.
func TestNoTypeShadowsWhatItEmbeds(t *testing.T) {
	t.Parallel()
	embedded := 0
	for _, p := range repoPackages(t) {
		p.named(func(n *types.Named) {
			of, ok := n.Underlying().(*types.Struct)
			if !ok {
				return
			}
			for f := range of.Fields() {
				if !f.Embedded() || types.IsInterface(f.Type()) {
					continue
				}
				embedded++
				for _, name := range shadowed(n, of, f) {
					t.Errorf("%s: %s has %s, and so has %s, which it embeds", p.fset.Position(n.Obj().Pos()), n.Obj().Name(), name, f.Name())
				}
			}
		})
	}
	if embedded == 0 {
		t.Error("no type embeds another, so nothing was looked at")
	}
}

// shadowed are the fields and methods that n has in place of those that came with
// the embedded field f.
func shadowed(n *types.Named, of *types.Struct, f *types.Var) []string {
	var names []string
	try := func(own types.Object) {
		if own == f {
			return
		}
		if hidden, _, _ := types.LookupFieldOrMethod(f.Type(), true, n.Obj().Pkg(), own.Name()); hidden != nil {
			names = append(names, own.Name())
		}
	}
	for field := range of.Fields() {
		try(field)
	}
	for method := range n.Methods() {
		try(method)
	}
	slices.Sort(names)
	return names
}

func TestShadowsAreFound(t *testing.T) {
	t.Parallel()
	const text = `package p
type inner struct{ a int }
func (*inner) b() {}
func (inner) c() {}
type deep struct{ inner }
type outer struct { *deep; a int }
func (outer) b() {}
func (outer) d() {}`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := pkg.Scope().Lookup("outer").Type().(*types.Named) //nolint:errcheck,forcetypeassert // it is declared above
	of := n.Underlying().(*types.Struct)                   //nolint:errcheck,forcetypeassert // likewise
	if got := shadowed(n, of, of.Field(0)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("found %v", got)
	}
}
