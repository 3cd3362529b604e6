package table

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"finoos-syncer/internal/sink/parquet/parquettest"
)

// null is what a null value is printed as.
const null = parquettest.Null

// writeTable writes rows into a file of their table, now one and now many at a
// time.
func writeTable(t *testing.T, opts FileOptions, rows []Row) []byte {
	t.Helper()
	var out bytes.Buffer
	f, err := NewFile(Of(rows[0]), &out, opts)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(len(rows)), 1))
	for i := 0; i < len(rows); {
		n := min(1+rng.IntN(3)*rng.IntN(100), len(rows)-i)
		if err := f.Append(rows[i : i+n]...); err != nil {
			t.Fatalf("rows from %d on: %v", i, err)
		}
		i += n
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f.Size() != int64(out.Len()) {
		t.Errorf("size of the closed file is %d, want %d", f.Size(), out.Len())
	}
	return out.Bytes()
}

// printRow prints a row as parquettest.Read does, straight from its struct: the
// fields of a row's struct stand in the order of the table's columns.
func printRow(r Row, runID string) []string {
	table, m := Of(r), r.meta()
	v := reflect.ValueOf(r).Elem()
	var out []string
	for i := range v.NumField() {
		if v.Type().Field(i).Name == "Meta" {
			continue
		}
		s := printValue(v.Field(i).Interface())
		if s == null && table.Columns[i].Key {
			s = "" // a text that is empty
		}
		lasting := table.Columns[i].Name == "first_seen_at" || table.Columns[i].Name == "last_seen_at"
		if m.Op == Delete && !table.Columns[i].Key && !lasting {
			s = null
		}
		out = append(out, s)
	}
	for _, value := range []any{string(m.Op), string(m.Pull), m.CorrelationID, m.CorrelationAt, m.ExtractedAt, runID, m.Extra} {
		out = append(out, printValue(value))
	}
	return out
}

func printValue(v any) string {
	valid := true
	var s string
	switch v := v.(type) {
	case string:
		valid, s = v != "", v
	case time.Time:
		valid, s = !v.IsZero(), v.UTC().Truncate(time.Microsecond).Format(parquettest.TimeFormat)
	case Decimal:
		valid, s = v.Valid, v.String()
	case Date:
		valid, s = v.Valid, v.String()
	case Null[bool]:
		valid, s = v.Valid, strconv.FormatBool(v.V)
	case Null[int32]:
		valid, s = v.Valid, strconv.Itoa(int(v.V))
	case int64:
		s = strconv.FormatInt(v, 10)
	case []string:
		valid, s = v != nil, parquettest.QuoteList(v)
	default:
		panic(fmt.Sprintf("value of type %T", v))
	}
	if !valid {
		return null
	}
	return s
}

// mayBeBlank are the columns of keys that the API may leave empty.
var mayBeBlank = map[string]bool{
	"transactions.account_id": true, "categorization.account_id": true, "categorization.tag": true, "account_history.currency": true,
}

// randomRow fills a row of a table with values of all kinds, each field null
// now and then, but never a key, which is empty where it may be.
func randomRow(rng *rand.Rand, table *Table) Row {
	var r Row
	for _, row := range []Row{&User{}, &SyncSession{}, &BankLogin{}, &Account{}, &Transaction{}, &Categorization{}, &Contract{}, &AccountHistory{}, &Pull{}} {
		if Of(row) == table {
			r = row
		}
	}
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Name == "Meta" {
			continue
		}
		if mayBeBlank[table.Name+"."+table.Columns[i].Name] && rng.IntN(4) == 0 {
			continue
		}
		if table.Columns[i].Key || rng.IntN(4) > 0 {
			v.Field(i).Set(reflect.ValueOf(randomValue(rng, v.Field(i).Interface())))
		}
	}
	*r.meta() = Meta{
		Op: Upsert, Pull: []Mode{"", Full, Diff, Backfill}[rng.IntN(4)], CorrelationID: randomText(rng),
		ExtractedAt: time.UnixMicro(rng.Int64N(4e15) - 2e15), Extra: []string{"", `{"ä":1}`}[rng.IntN(2)],
	}
	if rng.IntN(2) == 0 {
		r.meta().CorrelationAt = time.UnixMicro(rng.Int64N(4e15) - 2e15)
	}
	if rng.IntN(5) == 0 {
		r.meta().Op = Delete
	}
	return r
}

func randomText(rng *rand.Rand) string {
	return []string{"ä", "Käse & Brot", "EUR", "名前", strconv.Itoa(rng.IntN(50)), strconv.FormatInt(rng.Int64(), 10)}[rng.IntN(6)]
}

func randomValue(rng *rand.Rand, kind any) any {
	switch kind.(type) {
	case string:
		return randomText(rng)
	case time.Time:
		return time.Unix(rng.Int64N(4e9)-2e9, rng.Int64N(1e9))
	case Decimal:
		return Decimal{Units: rng.Int64N(2e18-1) - (1e18 - 1), Valid: true}
	case Date:
		return Date{Days: int32(rng.IntN(40000) - 20000), Valid: true}
	case Null[bool]:
		return Some(rng.IntN(2) == 0)
	case Null[int32]:
		return Some(rng.Int32() - 1<<30)
	case int64:
		return rng.Int64() - 1<<62
	case []string:
		list := make([]string, rng.IntN(5))
		for i := range list {
			list[i] = randomText(rng)
		}
		return list
	}
	panic(fmt.Sprintf("field of type %T", kind))
}
