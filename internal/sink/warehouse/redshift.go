package warehouse

import (
	"finoos-syncer/internal/sink/table"
)

var redshift = dialect{
	name: "redshift", title: "Redshift",
	about: `External tables (Spectrum) over S3: new files are seen at once. They are kept in a schema and Glue
database of their own; the cluster's default IAM role must be allowed to read the bucket.
Dropping one deletes no file. Redshift shows a list as JSON text, and only where json_serialization_enable is set: for good, by
ALTER USER ... SET json_serialization_enable TO true.
An external table cannot be made in a transaction: let your client commit each statement.`,
	schema:      "finoos",
	tableSchema: "_lake",
	// A view over an external table looks its names up when it is read.
	viewEnd: "\nWITH NO SCHEMA BINDING",
	quote:   quoted,
	types: map[table.ColumnType]string{
		table.TypeString: "varchar(65535)", table.TypeJSON: "varchar(65535)", table.TypeDecimal: "decimal(18,4)", table.TypeDate: "date",
		table.TypeTimestamp: "timestamp", table.TypeStringList: "array<varchar(65535)>", table.TypeBool: "boolean",
		table.TypeInt32: "integer", table.TypeInt64: "bigint",
	},
	utc:  func(text string) string { return "CAST('" + text + "' AS timestamp)" },
	text: "VARCHAR",
	age:  func(instant string) string { return "DATEDIFF(second, " + instant + ", GETDATE())" },
	check: func(l lakePlace) error {
		if err := l.isFrom("Redshift", inS3); err != nil {
			return err
		}
		return l.isAmazon("Redshift")
	},
	setup: func(g *scriptWriter) []Statement {
		lake := g.schema + g.dialect.tableSchema
		return []Statement{
			{SQL: "SET json_serialization_enable TO true"},
			{SQL: "CREATE EXTERNAL SCHEMA IF NOT EXISTS " + lake + "\nFROM DATA CATALOG DATABASE '" + lake + "'\nIAM_ROLE default\nCREATE EXTERNAL DATABASE IF NOT EXISTS"},
			{SQL: "CREATE SCHEMA IF NOT EXISTS " + g.schema},
		}
	},
	table: redshiftTable,
}

// redshiftTable has no partitions, which somebody would have to add day by day:
// Spectrum reads the folders below the location as well.
func redshiftTable(g *scriptWriter, t *table.Table) []Statement {
	return []Statement{{SQL: "DROP TABLE IF EXISTS " + g.source(t.Name)}, {
		Name: t.Name,
		SQL: "CREATE EXTERNAL TABLE " + g.source(t.Name) + " (\n" + g.columnTypes(t, g.dialect.quote) + "\n)\n" +
			"STORED AS PARQUET\nLOCATION " + literal(g.location.below(inS3, t.Name+"/")),
	}}
}
