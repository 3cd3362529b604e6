package warehouse

import (
	"finoos-syncer/internal/sink/table"
)

var bigquery = dialect{
	name: "bigquery", title: "BigQuery",
	about: `External tables over Cloud Storage: new files are seen at once.
BigQuery reads S3 only through a connection of BigQuery Omni, in the regions that have one. For a lake
in S3 the addresses below are those of a copy in a bucket of the same name (Storage Transfer Service
keeps one); with Omni, write WITH CONNECTION ` + "`aws-REGION.NAME`" + ` before OPTIONS, and s3:// for gs://.`,
	schema: "finoos",
	quote:  backticked,
	types: map[table.ColumnType]string{
		table.TypeString: "STRING", table.TypeJSON: "STRING", table.TypeDecimal: "NUMERIC", table.TypeDate: "DATE",
		table.TypeTimestamp: "TIMESTAMP", table.TypeStringList: "ARRAY<STRING>", table.TypeBool: "BOOL",
		table.TypeInt32: "INT64", table.TypeInt64: "INT64",
	},
	utc:   func(text string) string { return "TIMESTAMP '" + text + "+00'" },
	text:  "STRING",
	age:   func(instant string) string { return "TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), " + instant + ", SECOND)" },
	check: bigqueryCheck,
	setup: func(g *scriptWriter) []Statement {
		return []Statement{{SQL: "CREATE SCHEMA IF NOT EXISTS " + g.schema}}
	},
	table: bigqueryTable,
}

func bigqueryCheck(l lakePlace) error {
	if err := l.isFrom("BigQuery", inGCS, inS3); err != nil {
		return err
	}
	if err := l.hasNoGlob("BigQuery", "*"); err != nil {
		return err
	}
	return l.isAmazon("BigQuery")
}

// bigqueryTable reads all files below the folder, whose ingest_date is no column:
// a table that is partitioned by it cannot be queried before its first file.
func bigqueryTable(g *scriptWriter, t *table.Table) []Statement {
	return []Statement{{
		Name: t.Name,
		SQL: "CREATE OR REPLACE EXTERNAL TABLE " + g.source(t.Name) + " (\n" + g.columnTypes(t, g.dialect.quote) + "\n)\nOPTIONS (\n" +
			"  format = 'PARQUET',\n  enable_list_inference = true,\n  uris = [" + literal(g.location.below(inGCS, t.Name+"/*.parquet")) + "]\n)",
	}}
}
