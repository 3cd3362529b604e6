package warehouse

import (
	"slices"
	"strings"

	"finoos-syncer/internal/sink/table"
)

// dialect is what differs between the engines.
type dialect struct {
	name   string
	title  string
	about  string // at the top of the script
	schema string // the usual one
	// tableSchema is added to the schema's name for the tables of the lake, where
	// the engine keeps those apart from views.
	tableSchema string
	// viewEnd ends each CREATE VIEW.
	viewEnd string

	quote func(name string) string        // an identifier in a query
	types map[table.ColumnType]string     // of columns
	text  string                          // the type of texts in a query
	utc   func(text string) string        // the literal of an instant, "2026-11-22 00:00:00" in UTC
	age   func(instant string) string     // whole seconds since an instant
	check func(lakePlace) error           // whether it can be read
	setup func(*scriptWriter) []Statement // before the tables
	table func(*scriptWriter, *table.Table) []Statement
}

var dialects = []*dialect{&duckdb, &snowflake, &bigquery, &athena, &redshift, &databricks}

// special are the names of our columns that some engine reserves, or takes for a
// type or function: they are quoted in every engine, so that one reading of a
// script tells which names need it.
var special = []string{"date", "interval", "name", "owner", "rows", "tag", "type"}

// quoted quotes special names in double quotes, as the standard has it.
func quoted(name string) string {
	if slices.Contains(special, name) {
		return `"` + name + `"`
	}
	return name
}

// backticked quotes special names in backticks.
func backticked(name string) string {
	if slices.Contains(special, name) {
		return "`" + name + "`"
	}
	return name
}

// width is where lists of columns go on in the next line.
const width = 110

// columnList is columns' names in a query, each after a prefix.
func (g *scriptWriter) columnList(prefix string, columns []table.Column) string {
	names := make([]string, 0, len(columns))
	for _, c := range columns {
		names = append(names, prefix+g.dialect.quote(c.Name))
	}
	return wrapped(names)
}

// wrapped lists items, as many a line as fit.
func wrapped(items []string) string {
	const indent = "  "
	var b strings.Builder
	line := len(indent)
	for i, item := range items {
		switch {
		case i == 0:
		case line+len(item) > width:
			b.WriteString(",\n" + indent)
			line = len(indent)
		default:
			b.WriteString(", ")
		}
		b.WriteString(item)
		line += len(item) + len(", ")
	}
	return b.String()
}

// columnTypes is a table's columns with their types, one a line.
func (g *scriptWriter) columnTypes(t *table.Table, quote func(string) string) string {
	lines := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		lines = append(lines, "  "+quote(c.Name)+" "+g.dialect.types[c.Type])
	}
	return strings.Join(lines, ",\n")
}
