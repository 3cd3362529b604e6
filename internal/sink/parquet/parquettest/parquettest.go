// Package parquettest reads files back for tests, with the library's reader and by
// the file's own schema, knowing nothing of who has written it. Other packages
// need no Arrow for their tests: what they compare with has its names here.
package parquettest

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"runtime"
	"strconv"
	"testing"
	"time"

	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// The library has one zstd decoder for all, made when it is first asked for: not within
// a bubble of testing/synctest, whose channels nobody outside may use.
func init() { //nolint:gochecknoinits // before any bubble
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		panic(err)
	}
	codec.Decode(nil, codec.Encode(nil, []byte("warm")))
}

// Null is what a null value is printed as; no text of the tests is that.
const Null = "(null)"

// TimeFormat is how an instant is printed.
const TimeFormat = "2006-01-02 15:04:05.000000Z"

// What the library calls the parts of a file.
type (
	// ChunkMetaData is what the footer says of a column of a row group.
	ChunkMetaData = metadata.ColumnChunkMetaData
	// Statistics are those of a column of any type.
	Statistics = metadata.TypedStatistics
	// TextStatistics are those of a column of texts.
	TextStatistics = metadata.ByteArrayStatistics
	// Int32Statistics are those of a column of Int32 or Date.
	Int32Statistics = metadata.Int32Statistics
	// DataPage is a page of values.
	DataPage = file.DataPageV1
	// Reader is an open file.
	Reader = file.Reader
	// Encoding is how the values of a page are stored.
	Encoding = arrow.Encoding
	// ConvertedType is the name of a column's type that older readers know.
	ConvertedType = schema.ConvertedType
)

// Names of encodings and types.
var (
	Plain          = arrow.Encodings.Plain
	RLEDict        = arrow.Encodings.RLEDict
	ConvertedTypes = schema.ConvertedTypes
)

// ErrBroken is the error of a [BrokenWriter].
var ErrBroken = errors.New("disk full")

// BrokenWriter fails after so many bytes.
type BrokenWriter struct{ Left int }

// Write implements [io.Writer].
func (w *BrokenWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.Left)
	w.Left -= n
	if n < len(p) {
		return n, ErrBroken
	}
	return n, nil
}

// Schema prints the schema of a file.
func Schema(r *Reader) string {
	var out bytes.Buffer
	schema.PrintSchema(r.MetaData().Schema.Root(), &out, 2)
	return out.String()
}

// Open opens a file.
func Open(t *testing.T, data []byte) *file.Reader {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Read reads a file by its own schema, knowing nothing of tables: a row is
// its values, printed, in the order of the columns.
func Read(t *testing.T, data []byte) (columns []string, rows [][]string) {
	t.Helper()
	r := Open(t, data)
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
					return time.UnixMicro(v).UTC().Format(TimeFormat)
				}
			}
			return strconv.FormatInt(v, 10)
		})
	case *file.ByteArrayColumnChunkReader:
		return readValues(t, chunk, c.ReadBatch, func(v arrow.ByteArray) string { return string(v) })
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
			s := Null
			if full == 0 || defs[i] == full {
				s = text(values[value])
				value++
			}
			switch {
			case !lists:
				out = append(out, s)
			case reps[i] == 0 && defs[i] == 0:
				out = append(out, Null)
			case reps[i] == 0 && defs[i] == 1:
				out = append(out, "[]")
			case reps[i] == 0:
				list = []string{s}
				out = append(out, QuoteList(list))
			default:
				list = append(list, s)
				out[len(out)-1] = ""
			}
			if last := i == int(n)-1; lists && len(out) > 0 && out[len(out)-1] == "" && (last || reps[i+1] == 0) {
				out[len(out)-1] = QuoteList(list)
			}
		}
	}
	return out
}

// QuoteList prints a list as Read does.
func QuoteList(list []string) string {
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Allocated is how many bytes are allocated while f runs, by whoever else runs at the
// same time as well: of several tries the least counts.
func Allocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
