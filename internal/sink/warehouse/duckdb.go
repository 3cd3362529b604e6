package warehouse

import (
	"fmt"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/table"
)

var duckdb = dialect{
	name: "duckdb", title: "DuckDB",
	about: `Views that read the files where they are: there is nothing to load, and new files are seen at once.
They name the files by their path: where the lake moves, print this again.`,
	quote: quoted,
	types: map[table.ColumnType]string{
		table.TypeString: "VARCHAR", table.TypeJSON: "VARCHAR", table.TypeDecimal: "DECIMAL(18,4)", table.TypeDate: "DATE",
		table.TypeTimestamp: "TIMESTAMPTZ", table.TypeStringList: "VARCHAR[]", table.TypeBool: "BOOLEAN",
		table.TypeInt32: "INTEGER", table.TypeInt64: "BIGINT",
	},
	utc:   func(text string) string { return "TIMESTAMPTZ '" + text + "+00'" },
	text:  "VARCHAR",
	age:   func(instant string) string { return "date_diff('second', " + instant + ", current_timestamp)" },
	check: func(l lakePlace) error { return l.isFrom("DuckDB", inFolder, inS3) },
	setup: duckdbSetup,
	table: duckdbTable,
}

// duckdbSetup lets DuckDB read S3 with the credentials that the environment, a
// profile or a role gives.
func duckdbSetup(g *scriptWriter) []Statement {
	var all []Statement
	if g.location.kind == inS3 {
		options := []string{"TYPE s3", "PROVIDER credential_chain", "SCOPE " + literal(strings.TrimRight(g.location.below(inS3, ""), "/"))}
		if g.location.region != "" {
			options = append(options, "REGION "+literal(g.location.region))
		}
		if g.location.endpoint != "" {
			options = append(options, "ENDPOINT "+literal(g.location.endpoint), fmt.Sprintf("USE_SSL %t", !g.location.plain))
		}
		if g.location.pathStyle {
			options = append(options, "URL_STYLE 'path'")
		}
		all = append(all,
			Statement{SQL: "INSTALL httpfs"}, Statement{SQL: "LOAD httpfs"}, Statement{SQL: "INSTALL aws"}, Statement{SQL: "LOAD aws"},
			Statement{
				Comment: "A secret lasts as long as the session: run these lines again in each.",
				SQL:     "CREATE OR REPLACE SECRET syncer_lake (" + strings.Join(options, ", ") + ")",
			})
	}
	if g.schema != "" {
		all = append(all, Statement{SQL: "CREATE SCHEMA IF NOT EXISTS " + g.dialect.quote(g.schema)})
	}
	return all
}

// duckdbTable joins the files by name onto no rows at all: so a column that older
// files lack is there, and DuckDB, which takes no glob without a file, has
// something to read.
func duckdbTable(g *scriptWriter, t *table.Table) []Statement {
	nothing := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		nothing = append(nothing, "NULL::"+g.dialect.types[c.Type]+" AS "+g.dialect.quote(c.Name))
	}
	empty := "CREATE OR REPLACE VIEW " + g.source(t.Name) + " AS\nSELECT " + wrapped(nothing) + "\nWHERE false"
	files := empty + "\nUNION ALL BY NAME\nSELECT * FROM read_parquet(" + literal(globbed(g.location.below(inS3, t.Name))+"/**/*.parquet") +
		", union_by_name = true, hive_partitioning = false)"
	switch {
	case slices.Contains(g.empty, t.Name):
		return []Statement{{Name: t.Name, SQL: empty, Comment: "No file of " + t.Name + " is there yet. Print this again once there is one."}}
	case g.location.kind == inFolder:
		return []Statement{{Name: t.Name, SQL: files}}
	}
	return []Statement{
		{Name: t.Name, SQL: empty, Comment: "Stands where the next statement fails, since no file of " + t.Name + " is there yet."},
		{Name: t.Name, SQL: files},
	}
}

// globbed takes a path literally within a glob.
func globbed(path string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path)
}
