package config

import (
	_ "embed" // config.go is the manual
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// structs is the source of what jobs.yaml is read into.
//
//go:embed config.go
var structs string

// manual is the comment of every field, by struct and field ("Job.Schedule").
// Fields are called in it what they are called in the file.
type manual map[string]string

// manualOf reads the comments out of the source of the structs.
func manualOf(source string) (manual, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	keys := keysByField(configSpec)
	maps.Copy(keys, keysByField(jobSpec))
	word := regexp.MustCompile(`\b(` + strings.Join(fieldNames(keys), "|") + `)\b`)
	docs := manual{}
	ast.Inspect(file, func(n ast.Node) bool {
		t, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			return false
		}
		for _, f := range s.Fields.List {
			text := strings.Join(strings.Fields(f.Doc.Text()), " ")
			docs[t.Name.Name+"."+f.Names[0].Name] = word.ReplaceAllStringFunc(text, func(name string) string { return keys[name] })
		}
		return false
	})
	return docs, nil
}

// keysByField finds what a field of the structs is called in the file.
func keysByField(specs []*spec) map[string]string {
	found := map[string]string{}
	for _, s := range specs {
		if _, name, ok := strings.Cut(s.field, "."); ok {
			found[name] = s.key
		}
		maps.Copy(found, keysByField(s.children))
	}
	return found
}

// fieldNames are all names of fields, longest first.
func fieldNames(keys map[string]string) []string {
	return slices.SortedFunc(maps.Keys(keys), func(a, b string) int { return len(b) - len(a) })
}
