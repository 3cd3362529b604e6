package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

func TestCurrentStateIsTheNewestRowPerKeyAtOrAfterTheLastFullPull(t *testing.T) {
	t.Parallel()
	contract := func(user, id, name, op string, n int) literals {
		return literals{
			"user_id": "'" + user + "'", "contract_id": "'" + id + "'", "partner_name": "'" + name + "'",
			"_op": "'" + op + "'", "_extracted_at": night(n),
		}
	}
	pull := func(user, outcome, mode string, n int) literals {
		return literals{
			"user_id": "'" + user + "'", "stream": "'contracts'", "outcome": "'" + outcome + "'",
			"mode": "'" + mode + "'", "_op": "'upsert'", "_extracted_at": night(n),
		}
	}
	user := func(id, op string, n int) literals {
		return literals{"user_id": "'" + id + "'", "_op": "'" + op + "'", "_extracted_at": night(n)}
	}
	dir := t.TempDir()
	writeTable(t, dir, "contracts", "one", nil,
		contract("anna", "c1", "first name", "upsert", 1),
		contract("anna", "c2", "vanishes", "upsert", 1),
		contract("bert", "c1", "before the full pull", "upsert", 1),
		contract("carl", "c1", "the full pull is empty", "upsert", 1),
		contract("dora", "c1", "the full pull fails", "upsert", 1),
		contract("emil", "c1", "of a deleted user", "upsert", 1),
		contract("fred", "c1", "of a user who comes back", "upsert", 1))
	writeTable(t, dir, "contracts", "two", nil,
		contract("anna", "c1", "newest name", "upsert", 2),
		contract("anna", "c2", "vanishes", "delete", 2),
		contract("bert", "c2", "in the full pull", "upsert", 2),
		contract("bert", "c3", "after the full pull", "upsert", 3),
		contract("gert", "c1", "deleted", "delete", 2),
		contract("gert", "c1", "and back", "upsert", 3))
	writeTable(t, dir, "pulls", "one", nil,
		pull("anna", "pulled", "full", 1), pull("anna", "pulled", "diff", 2),
		pull("bert", "pulled", "full", 1), pull("bert", "pulled", "full", 2), pull("bert", "pulled", "diff", 3),
		pull("carl", "pulled", "full", 2),
		pull("dora", "failed", "full", 2))
	writeTable(t, dir, "users", "one", nil,
		user("emil", "upsert", 1), user("emil", "delete", 2),
		user("fred", "upsert", 1), user("fred", "delete", 2), user("fred", "upsert", 3))

	l := openLake(t, dir)
	got := l.query(t, "SELECT user_id, contract_id, partner_name FROM current_contracts ORDER BY ALL")
	want := []row{
		{"user_id": "anna", "contract_id": "c1", "partner_name": "newest name"},
		{"user_id": "bert", "contract_id": "c2", "partner_name": "in the full pull"},
		{"user_id": "bert", "contract_id": "c3", "partner_name": "after the full pull"},
		{"user_id": "dora", "contract_id": "c1", "partner_name": "the full pull fails"},
		{"user_id": "fred", "contract_id": "c1", "partner_name": "of a user who comes back"},
		{"user_id": "gert", "contract_id": "c1", "partner_name": "and back"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("current contracts (-want +got):\n%s", diff)
	}
	users := l.query(t, "SELECT user_id FROM current_users")
	if diff := cmp.Diff([]row{{"user_id": "fred"}}, users); diff != "" {
		t.Errorf("current users (-want +got):\n%s", diff)
	}
}

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
