package warehouse

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/table"
)

// Options say what is to be read, where, and by what.
type Options struct {
	// Dialect is one of Dialects.
	Dialect string
	// Location is where the lake is: s3://bucket/prefix?region=…, gs://bucket/prefix,
	// file:///folder or a folder. What the engine cannot read is an error.
	Location string
	// Schema (database, data set) is what everything is made in; empty means the
	// engine's usual one: finoos, and none in DuckDB.
	Schema string
	// Tables restricts the tables; empty means all. Users and pulls are always
	// among them, since all views need them.
	Tables []string
	// Empty are tables that are known to have no file yet. Only DuckDB minds.
	Empty []string
}

// Statement is one SQL statement.
type Statement struct {
	// Name is what the statement makes, without its schema; "" where it makes
	// nothing that can be queried.
	Name string
	// Comment says what it is for, in lines without comment marks; may be empty.
	Comment string
	// SQL ends without a semicolon.
	SQL string
}

// Dialects returns the names of the dialects, in the order of the documentation.
func Dialects() []string {
	names := make([]string, 0, len(dialects))
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return names
}

// Statements returns what has to be run, in order. Errors are mistakes in o.
func Statements(o Options) ([]Statement, error) {
	g, err := newGenerator(o)
	if err != nil {
		return nil, err
	}
	return g.statements(), nil
}

// Write writes the statements as one script, with comments. Errors are mistakes
// in o, or those of w.
func Write(w io.Writer, o Options) error {
	g, err := newGenerator(o)
	if err != nil {
		return err
	}
	var b strings.Builder
	comment(&b, fmt.Sprintf("The lake at %s for %s, printed by `syncer sql`: for what programs of schema %d have written.\n%s",
		g.location.shown(), g.dialect.title, table.Schema, g.dialect.about))
	for _, s := range g.statements() {
		b.WriteString("\n")
		comment(&b, s.Comment)
		b.WriteString(s.SQL + ";\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func (g *scriptWriter) statements() []Statement {
	all := g.dialect.setup(g)
	for _, t := range g.tables {
		all = append(all, g.dialect.table(g, t)...)
	}
	return append(all, g.views()...)
}

// comment writes lines as SQL comments.
func comment(b *strings.Builder, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimRight("-- "+line, " ") + "\n")
	}
}

// scriptWriter is what the statements of one script have in common.
type scriptWriter struct {
	dialect  *dialect
	location lakePlace
	schema   string
	tables   []*table.Table
	empty    []string
}

func newGenerator(o Options) (*scriptWriter, error) {
	i := slices.IndexFunc(dialects, func(d *dialect) bool { return d.name == o.Dialect })
	if i < 0 {
		return nil, fmt.Errorf("there is no dialect %q: there are %s", o.Dialect, strings.Join(Dialects(), ", "))
	}
	g := &scriptWriter{dialect: dialects[i], schema: o.Schema, empty: o.Empty}
	if g.schema == "" {
		g.schema = g.dialect.schema
	}
	if !isName(g.schema) && g.schema != "" {
		return nil, fmt.Errorf("the schema %q is no plain name: use lower-case letters, digits and _", g.schema)
	}
	var err error
	if g.location, err = parseLocation(o.Location); err != nil {
		return nil, err
	}
	if err := g.dialect.check(g.location); err != nil {
		return nil, err
	}
	for _, name := range o.Tables {
		if table.ByName(name) == nil {
			return nil, fmt.Errorf("there is no table %q: there are %s", name, strings.Join(tableNames(), ", "))
		}
	}
	for _, t := range inLoadingOrder() {
		if len(o.Tables) == 0 || slices.Contains(o.Tables, t.Name) || t.Name == "users" || t.Name == "pulls" {
			g.tables = append(g.tables, t)
		}
	}
	return g, nil
}

// inLoadingOrder has pulls first: of a commit they become visible last, so what
// is loaded after them holds the rows of all pulls that are known.
func inLoadingOrder() []*table.Table {
	pulls := table.ByName("pulls")
	rest := slices.DeleteFunc(table.Tables(), func(t *table.Table) bool { return t == pulls })
	return append([]*table.Table{pulls}, rest...)
}

func tableNames() []string {
	var names []string
	for _, t := range table.Tables() {
		names = append(names, t.Name)
	}
	return names
}

// isName says whether a text is an identifier in every engine without quotes.
func isName(s string) bool {
	for i, c := range s {
		if (c < 'a' || c > 'z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// name is what a table or view is called in a query.
func (g *scriptWriter) name(of string) string {
	if g.schema == "" {
		return g.dialect.quote(of)
	}
	return g.dialect.quote(g.schema) + "." + g.dialect.quote(of)
}

// source is what a table of the lake is called in a query.
func (g *scriptWriter) source(tab string) string {
	if g.dialect.tableSchema == "" {
		return g.name(tab)
	}
	return g.dialect.quote(g.schema+g.dialect.tableSchema) + "." + g.dialect.quote(tab)
}
