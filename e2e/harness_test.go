package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// literals is a row as SQL literals by column; what is missing is NULL.
type literals map[string]string

// writeTable lets DuckDB write one file of a table, as the product would lay it
// out. Other types than the design's are
// possible: the checks must find them.
func writeTable(t *testing.T, dir, name, file string, types map[string]string, rows ...literals) {
	t.Helper()
	tb := tableNamed(name)
	selects := make([]string, 0, len(rows))
	for _, r := range rows {
		cols := make([]string, 0, len(tb.all()))
		for _, c := range tb.all() {
			value, typ := "NULL", c.Type
			if v, ok := r[c.Name]; ok {
				value = v
			}
			if other, ok := types[c.Name]; ok {
				typ = other
			}
			cols = append(cols, fmt.Sprintf("%s::%s AS %s", value, typ, quote(c.Name)))
		}
		selects = append(selects, "SELECT "+strings.Join(cols, ", "))
	}
	folder := filepath.Join(dir, name, "ingest_date=2026-11-22")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	openLake(t, t.TempDir()).exec(t, fmt.Sprintf("COPY (%s) TO '%s' (FORMAT parquet)",
		strings.Join(selects, " UNION ALL "), filepath.Join(folder, file+".parquet")))
}

// night is the instant of the n-th night as an SQL literal.
func night(n int) string { return fmt.Sprintf("'2026-11-%02d 03:00:00+00'", 20+n) }

func TestEveryTypeIsReadExactly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeTable(t, dir, "contracts", "one", nil, literals{
		"user_id": "'u'", "contract_id": "'c'", "amount": "'-0.0500'", "tags": "[]", "is_active": "false",
		"transaction_ids": "['a', 'b']", "next_booking_date": "'1969-12-31'", "partner": `'{"b": 1.50, "a": "<ü>"}'`,
		"_op": "'upsert'", "_extracted_at": night(1),
	})
	writeTable(t, dir, "users", "one", nil, literals{
		"user_id": "'u'", "created_at": "'1969-12-31 23:59:59.000001+00'", "_op": "'upsert'", "_extracted_at": night(1),
	})
	l := openLake(t, dir)
	want := row{"user_id": "u", "created_at": time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC)}
	if diff := differences(tableNamed("users"), []row{want}, l.current(t, tableNamed("users"))); diff != "" {
		t.Error(diff)
	}
	want = row{
		"user_id": "u", "contract_id": "c", "amount": "-0.0500", "tags": []string{}, "is_active": false,
		"transaction_ids": []string{"a", "b"}, "next_booking_date": "1969-12-31", "partner": `{"a":"<ü>","b":1.50}`,
	}
	if diff := differences(tableNamed("contracts"), []row{want}, l.current(t, tableNamed("contracts"))); diff != "" {
		t.Error(diff)
	}
}

func TestTheSchemaCheckFindsAFloatAndANanosecond(t *testing.T) {
	t.Parallel()
	for name, types := range map[string]map[string]string{
		"double":       {"balance": "DOUBLE"},
		"other scale":  {"balance": "DECIMAL(18,2)"},
		"wide decimal": {"balance": "DECIMAL(38,4)"},
		"nanoseconds":  {"_correlation_at": "TIMESTAMP_NS"},
		"milliseconds": {"_correlation_at": "TIMESTAMP_MS"},
		"without zone": {"_correlation_at": "TIMESTAMP"},
		"as it should": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTable(t, dir, "accounts", "one", types, literals{"user_id": "'u'", "balance": "1", "_correlation_at": night(1)})
			if diff := openLake(t, dir).schemaDiff(t); (diff == "") != (types == nil) {
				t.Errorf("the schema check says %q", diff)
			}
		})
	}
}

func TestDifferencesAreFoundInEveryColumn(t *testing.T) {
	t.Parallel()
	tb := tableNamed("contracts")
	base := func() row {
		return row{
			"user_id": "u", "contract_id": "c", "amount": "1.0000", "tags": []string{"a", "b"}, "is_active": true,
			"transaction_ids": []string{}, "partner": `{"a":1}`, "_extra": nil,
		}
	}
	other := base()
	other["contract_id"] = "other"
	if diff := differences(tb, []row{base(), other}, []row{other, base()}); diff != "" {
		t.Errorf("the same rows in another order differ: %s", diff)
	}
	spelled := base()
	spelled["partner"] = "{ \"a\" : 1 }"
	if diff := differences(tb, []row{base()}, []row{spelled}); diff != "" {
		t.Errorf("the same JSON in other words differs: %s", diff)
	}
	for column, v := range map[string]any{
		"amount": "1.0001", "tags": []string{"b", "a"}, "is_active": nil, "transaction_ids": nil,
		"partner": `{"a":1.0}`, "_extra": `{"a":1}`, "category": "", "contract_id": "other",
	} {
		changed := base()
		changed[column] = v
		if differences(tb, []row{base()}, []row{changed}) == "" {
			t.Errorf("a change of %s to %#v is not found", column, v)
		}
	}
	if differences(tb, []row{base()}, nil) == "" || differences(tb, nil, []row{base()}) == "" {
		t.Error("a missing row is not found")
	}
	if differences(tb, []row{base()}, []row{base(), base()}) == "" {
		t.Error("a row that is there twice is not found")
	}
}
