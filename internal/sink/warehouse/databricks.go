package warehouse

import (
	"strings"

	"finoos-syncer/internal/sink/table"
)

var databricks = dialect{
	name: "databricks", title: "Databricks",
	about: `Views that read the files where they are (Unity Catalog needs an external location there): new files
are seen at once. To load them instead, make each table a streaming one:
CREATE OR REFRESH STREAMING TABLE ... AS SELECT ... FROM STREAM read_files(...).`,
	schema: "finoos",
	quote:  backticked,
	types: map[table.ColumnType]string{
		table.TypeString: "STRING", table.TypeJSON: "STRING", table.TypeDecimal: "DECIMAL(18,4)", table.TypeDate: "DATE",
		table.TypeTimestamp: "TIMESTAMP", table.TypeStringList: "ARRAY<STRING>", table.TypeBool: "BOOLEAN",
		table.TypeInt32: "INT", table.TypeInt64: "BIGINT",
	},
	utc:  func(text string) string { return "TIMESTAMP '" + text + "Z'" },
	text: "STRING",
	age:  func(instant string) string { return "timestampdiff(SECOND, " + instant + ", current_timestamp())" },
	check: func(l lakePlace) error {
		if err := l.isFrom("Databricks", inS3, inGCS); err != nil {
			return err
		}
		return l.hasNoGlob("Databricks", globs)
	},
	setup: func(g *scriptWriter) []Statement {
		return []Statement{{SQL: "CREATE SCHEMA IF NOT EXISTS " + g.schema}}
	},
	table: databricksTable,
}

// databricksTable gives the schema, so that nothing is inferred: neither a column
// that older files lack, nor the folder's ingest_date.
func databricksTable(g *scriptWriter, t *table.Table) []Statement {
	schema := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		schema = append(schema, "`"+c.Name+"` "+g.dialect.types[c.Type])
	}
	return []Statement{{
		Name: t.Name,
		SQL: "CREATE OR REPLACE VIEW " + g.source(t.Name) + " AS\nSELECT " + g.columnList("", t.Columns) + "\nFROM read_files(\n  " +
			literal(g.location.below(g.location.kind, t.Name+"/")) + ",\n  format => 'parquet',\n  partitionColumns => '',\n" +
			"  schemaEvolutionMode => 'none',\n  schema => '" + strings.Join(schema, ",\n    ") + "'\n)",
	}}
}
