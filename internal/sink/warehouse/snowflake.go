package warehouse

import (
	"slices"
	"strings"

	"finoos-syncer/internal/sink/table"
)

var snowflake = dialect{
	name: "snowflake", title: "Snowflake",
	about: `Tables that COPY INTO loads. Snowflake remembers for 64 days which files it has loaded: run the
COPY statements after each run of syncer, in this order, and each row comes once. Columns that a
later version adds come by themselves, to whoever has the privilege EVOLVE SCHEMA.
Put the name of your storage integration for SYNCER_INTEGRATION.`,
	schema: "finoos",
	quote:  snowflakeQuoted,
	types: map[table.ColumnType]string{
		table.TypeString: "VARCHAR", table.TypeJSON: "VARCHAR", table.TypeDecimal: "NUMBER(18,4)", table.TypeDate: "DATE",
		table.TypeTimestamp: "TIMESTAMP_LTZ(6)", table.TypeStringList: "ARRAY", table.TypeBool: "BOOLEAN",
		table.TypeInt32: "NUMBER(10,0)", table.TypeInt64: "NUMBER(19,0)",
	},
	utc:   func(text string) string { return "CAST('" + text + " +0000' AS TIMESTAMP_LTZ)" },
	text:  "VARCHAR",
	age:   func(instant string) string { return "DATEDIFF(second, " + instant + ", CURRENT_TIMESTAMP())" },
	check: func(l lakePlace) error { return l.isFrom("Snowflake", inS3, inGCS) },
	setup: snowflakeSetup,
	table: snowflakeTable,
}

// snowflakeQuoted spells a quoted name as Snowflake folds one without quotes, so
// that a query may do without where the word is allowed.
func snowflakeQuoted(name string) string {
	if slices.Contains(special, name) {
		return `"` + strings.ToUpper(name) + `"`
	}
	return name
}

func snowflakeSetup(g *scriptWriter) []Statement {
	scheme, access := inS3, "STORAGE_INTEGRATION = SYNCER_INTEGRATION"
	switch {
	case g.location.kind == inGCS:
		scheme = "gcs"
	case g.location.endpoint != "":
		scheme, access = "s3compat", "ENDPOINT = "+literal(g.location.endpoint)+"\n  CREDENTIALS = (AWS_KEY_ID = '...' AWS_SECRET_KEY = '...')"
	}
	return []Statement{
		{SQL: "CREATE SCHEMA IF NOT EXISTS " + g.schema},
		{
			Comment: "Instants in the files are UTC; so they are read right whatever the account's time zone is.",
			SQL:     "ALTER SESSION SET TIMEZONE = 'UTC'",
		},
		{
			Comment: "Without NULL_IF = () a text that reads \\N would be loaded as null.",
			SQL: "CREATE OR REPLACE FILE FORMAT " + g.schema + ".syncer_parquet\n" +
				"  TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE NULL_IF = ()",
		},
		{
			SQL: "CREATE STAGE IF NOT EXISTS " + g.schema + ".syncer_lake\n  URL = " + literal(g.location.below(scheme, "")) + "\n  " + access,
		},
	}
}

// snowflakeTable loads by name: the files' order of columns does not matter, one
// that older files lack stays null, and the folder's ingest_date is no column.
func snowflakeTable(g *scriptWriter, t *table.Table) []Statement {
	return []Statement{
		{Name: t.Name, SQL: "CREATE TABLE IF NOT EXISTS " + g.source(t.Name) + " (\n" + g.columnTypes(t, g.dialect.quote) + "\n)\nENABLE_SCHEMA_EVOLUTION = TRUE"},
		{SQL: "COPY INTO " + g.source(t.Name) + "\n  FROM @" + g.schema + ".syncer_lake/" + t.Name + "/\n" +
			"  PATTERN = '.*[.]parquet'\n  FILE_FORMAT = (FORMAT_NAME = '" + g.schema + ".syncer_parquet')\n  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"},
	}
}
