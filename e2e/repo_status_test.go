package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// statusReaders are the places that may decide by a status code: one for the API,
// and those whose trade HTTP is.
var statusReaders = []string{
	"../internal/finoos/classify.go",
	"../internal/finoos/sandbox/",  // answers like the API
	"../internal/sink/bucket/",     // speaks S3
	"../internal/trouble/proxy.go", // of proxies
}

func TestOneFileDecidesByTheStatusCodesOfTheAPI(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, path := range goFiles(t) {
		slashed := filepath.ToSlash(path)
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(slashed, "../internal/") && !strings.HasPrefix(slashed, "../cmd/") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range statusDecisions(file) {
			seen++
			if !hasAnyPrefix(slashed, statusReaders) {
				t.Errorf("%s decides by a status code: let finoos.Error say what it means", fset.Position(at))
			}
		}
	}
	if seen == 0 {
		t.Error("no file decides by a status code, so nothing was looked at")
	}
}

func TestDecisionsByStatusCodesAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`if e.Status == 400 || e.Status == 404 {}`:                       2,
		`if resp.StatusCode/100 != 2 || http.StatusOK <= code {}`:        2,
		`switch code { case http.StatusGone, http.StatusNotFound: }`:     2,
		`switch resp.StatusCode { case 404: }`:                           1,
		`_ = map[int]string{http.StatusGone: "gone"}`:                    1,
		`w.WriteHeader(http.StatusOK); e.Status = 200; _ = e.Status > 0`: 0,
		`if last.Status == "ok" || e.Status != 0 || n == 404 {}`:         0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {"+text+"}", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(statusDecisions(file)); got != want {
			t.Errorf("%s: found %d decisions, want %d", text, got, want)
		}
	}
}

// statusDecisions are the places of a file where a status code is compared, a
// case, or the key of a table.
func statusDecisions(file *ast.File) []token.Pos {
	var found []token.Pos
	note := func(e, beside ast.Expr) {
		if isStatusName(e) || isStatusNumber(e) && beside != nil && isStatusValue(beside) {
			found = append(found, e.Pos())
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			switch n.Op {
			case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
				note(n.X, n.Y)
				note(n.Y, n.X)
			default:
			}
		case *ast.SwitchStmt:
			for _, s := range n.Body.List {
				for _, e := range s.(*ast.CaseClause).List { //nolint:errcheck,forcetypeassert // a switch holds nothing else
					note(e, n.Tag)
				}
			}
		case *ast.KeyValueExpr:
			note(n.Key, nil)
		}
		return true
	})
	return found
}

func isStatusName(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || !strings.HasPrefix(sel.Sel.Name, "Status") {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "http"
}

// isStatusNumber also takes the class of a status, its first digit.
func isStatusNumber(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.INT {
		return false
	}
	n, err := strconv.Atoi(lit.Value)
	return err == nil && (n >= 1 && n <= 5 || n >= 100 && n <= 599)
}

// isStatusValue reports whether an expression reads something called a status.
func isStatusValue(e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && strings.Contains(strings.ToLower(id.Name), "status") {
			found = true
		}
		return true
	})
	return found
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
