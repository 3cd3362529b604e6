package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// null is what a null value is printed as; no text of the tests is that.
const null = "(null)"

// writeTable writes rows into a file of their table, now one and now many at a
// time.
func writeTable(t *testing.T, opts fileOptions, rows []Row) []byte {
	t.Helper()
	var out bytes.Buffer
	f, err := newTableFile(tableOf(rows[0]), &out, opts)
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

func openParquet(t *testing.T, data []byte) *file.Reader {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readTable reads a file by its own schema, knowing nothing of tables: a row is
// its values, printed, in the order of the columns.
func readTable(t *testing.T, data []byte) (columns []string, rows [][]string) {
	t.Helper()
	r := openParquet(t, data)
	fields := r.MetaData().Schema.Root()
	for i := range fields.NumFields() {
		columns = append(columns, fields.Field(i).Name())
	}
	for g := range r.NumRowGroups() {
		group := r.RowGroup(g)
		from := len(rows)
		rows = append(rows, make([][]string, group.NumRows())...)
		for c := range columns {
			chunk, err := group.Column(c)
			if err != nil {
				t.Fatal(err)
			}
			values := readChunk(t, chunk)
			if len(values) != int(group.NumRows()) {
				t.Fatalf("column %s has %d rows, want %d", columns[c], len(values), group.NumRows())
			}
			for i, v := range values {
				rows[from+i] = append(rows[from+i], v)
			}
		}
	}
	return columns, rows
}

func readChunk(t *testing.T, chunk file.ColumnChunkReader) []string {
	t.Helper()
	switch c := chunk.(type) {
	case *file.BooleanColumnChunkReader:
		return readValues(t, chunk, c.ReadBatch, strconv.FormatBool)
	case *file.Int32ColumnChunkReader:
		return readValues(t, chunk, c.ReadBatch, func(v int32) string {
			if _, ok := c.Descriptor().LogicalType().(schema.DateLogicalType); ok {
				return time.Date(1970, 1, 1+int(v), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			}
			return strconv.Itoa(int(v))
		})
	case *file.Int64ColumnChunkReader:
		return readValues(t, chunk, c.ReadBatch, func(v int64) string {
			switch l := c.Descriptor().LogicalType().(type) {
			case *schema.DecimalLogicalType:
				return new(big.Rat).SetFrac(big.NewInt(v), big.NewInt(10000)).FloatString(int(l.Scale()))
			case *schema.TimestampLogicalType:
				if l.IsAdjustedToUTC() && l.TimeUnit() == schema.TimeUnitMicros {
					return time.UnixMicro(v).UTC().Format(timeFormat)
				}
			}
			return strconv.FormatInt(v, 10)
		})
	case *file.ByteArrayColumnChunkReader:
		return readValues(t, chunk, c.ReadBatch, func(v parquet.ByteArray) string { return string(v) })
	}
	t.Fatalf("column of type %T", chunk)
	return nil
}

// readValues assembles rows from levels: of nulls, and of lists in the three
// levels that Parquet wants for them.
func readValues[T any](t *testing.T, chunk file.ColumnChunkReader, read func(int64, []T, []int16, []int16) (int64, int, error), text func(T) string) []string {
	t.Helper()
	const batch = 777 // other than the batches of the writer
	descr := chunk.Descriptor()
	full, lists := descr.MaxDefinitionLevel(), descr.MaxRepetitionLevel() > 0
	values, defs, reps := make([]T, batch), make([]int16, batch), make([]int16, batch)
	var out []string
	var list []string // the elements of the last row
	for chunk.HasNext() {
		n, _, err := read(batch, values, defs, reps)
		if err != nil || chunk.Err() != nil {
			t.Fatal(err, chunk.Err())
		}
		value := 0
		for i := range int(n) {
			s := null
			if full == 0 || defs[i] == full {
				s = text(values[value])
				value++
			}
			switch {
			case !lists:
				out = append(out, s)
			case reps[i] == 0 && defs[i] == 0:
				out = append(out, null)
			case reps[i] == 0 && defs[i] == 1:
				out = append(out, "[]")
			case reps[i] == 0:
				list = []string{s}
				out = append(out, quoteList(list))
			default:
				list = append(list, s)
				out[len(out)-1] = ""
			}
			if last := i == int(n)-1; lists && len(out) > 0 && out[len(out)-1] == "" && (last || reps[i+1] == 0) {
				out[len(out)-1] = quoteList(list)
			}
		}
	}
	return out
}

func quoteList(list []string) string {
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(text)
}

const timeFormat = "2006-01-02 15:04:05.000000Z"

// printRow prints a row as readTable does, straight from its struct: the
// fields of a row's struct stand in the order of the table's columns.
func printRow(r Row, runID string) []string {
	table, m := tableOf(r), r.meta()
	v := reflect.ValueOf(r).Elem()
	var out []string
	for i := range v.NumField() {
		if v.Type().Field(i).Name == "Meta" {
			continue
		}
		s := printValue(v.Field(i).Interface())
		if m.Op == Delete && !table.Columns[i].Key {
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
		valid, s = !v.IsZero(), v.UTC().Truncate(time.Microsecond).Format(timeFormat)
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
		valid, s = v != nil, quoteList(v)
	default:
		panic(fmt.Sprintf("value of type %T", v))
	}
	if !valid {
		return null
	}
	return s
}

// randomRow fills a row of a table with values of all kinds, each field null
// now and then, but never a key.
func randomRow(rng *rand.Rand, table *Table) Row {
	var r Row
	for _, row := range []Row{&User{}, &SyncSession{}, &BankLogin{}, &Account{}, &Transaction{}, &Categorization{}, &Contract{}, &AccountHistory{}, &Pull{}} {
		if tableOf(row) == table {
			r = row
		}
	}
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Name == "Meta" {
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
