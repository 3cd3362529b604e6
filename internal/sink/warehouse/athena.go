package warehouse

import (
	"finoos-syncer/internal/sink/table"
)

var athena = dialect{
	name: "athena", title: "Athena",
	about: `External tables over S3, whose partitions Athena works out by itself: new files are seen at once.
Athena runs one statement at a time. It keeps milliseconds of an instant, the files microseconds.
A condition on ingest_date saves reading older days; the views need all of them.
To change a table, DROP TABLE and make it again: no file is deleted by that.`,
	schema: "finoos",
	quote:  quoted,
	types: map[table.ColumnType]string{
		table.TypeString: "string", table.TypeJSON: "string", table.TypeDecimal: "decimal(18,4)", table.TypeDate: "date",
		table.TypeTimestamp: "timestamp", table.TypeStringList: "array<string>", table.TypeBool: "boolean",
		table.TypeInt32: "int", table.TypeInt64: "bigint",
	},
	utc:  func(text string) string { return "TIMESTAMP '" + text + ".000'" },
	text: "VARCHAR",
	age: func(instant string) string {
		return "date_diff('second', " + instant + ", CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp))"
	},
	check: func(l lakePlace) error {
		if err := l.isFrom("Athena", inS3); err != nil {
			return err
		}
		if err := l.hasNoGlob("Athena", "$"); err != nil { // the template of its partitions
			return err
		}
		return l.isAmazon("Athena")
	},
	setup: func(g *scriptWriter) []Statement {
		return []Statement{{SQL: "CREATE DATABASE IF NOT EXISTS " + g.schema}}
	},
	table: athenaTable,
}

// athenaTable projects the partitions from the first year in which there is such
// a lake: a folder that does not exist is an empty partition.
func athenaTable(g *scriptWriter, t *table.Table) []Statement {
	// In a CREATE TABLE Athena speaks Hive's dialect: backticks, also around names
	// that begin with an underscore.
	hive := func(name string) string { return "`" + name + "`" }
	folder := literal(g.location.below(inS3, t.Name+"/"))
	return []Statement{{
		Name: t.Name,
		SQL: "CREATE EXTERNAL TABLE IF NOT EXISTS " + hive(g.schema) + "." + hive(t.Name) + " (\n" + g.columnTypes(t, hive) + "\n)\n" +
			"PARTITIONED BY (`ingest_date` string)\nSTORED AS PARQUET\nLOCATION " + folder + "\nTBLPROPERTIES (\n" +
			"  'projection.enabled' = 'true',\n" +
			"  'projection.ingest_date.type' = 'date',\n" +
			"  'projection.ingest_date.format' = 'yyyy-MM-dd',\n" +
			"  'projection.ingest_date.range' = '2026-01-01,NOW+1DAYS',\n" +
			"  'projection.ingest_date.interval' = '1',\n" +
			"  'projection.ingest_date.interval.unit' = 'DAYS',\n" +
			"  'storage.location.template' = " + literal(g.location.below(inS3, t.Name+"/ingest_date=${ingest_date}/")) + "\n)",
	}}
}
