package parquet

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/google/go-cmp/cmp"
)

// valuesOf reads columns as text, by row; what is null is "-".
func valuesOf(t *testing.T, body []byte, limits Limits, columns ...Column) (rows []string) {
	t.Helper()
	r, err := Open(NewSource(bytes.NewReader(body)), limits)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Groups() {
		g, err := r.Group(i)
		if err != nil {
			t.Fatal(err)
		}
		cells := make([][]any, g.Rows())
		for n, c := range columns {
			for row := range cells {
				cells[row] = append(cells[row], "-")
			}
			switch c.Type {
			case Bool:
				Read(g, c.Name, func(row int, v bool) { cells[row][n] = v })
			case Int32:
				Read(g, c.Name, func(row int, v int32) { cells[row][n] = v })
			case Int64:
				Read(g, c.Name, func(row int, v int64) { cells[row][n] = v })
			default:
				ReadText(g, c.Name, func(row int, v []byte) { cells[row][n] = string(v) })
			}
		}
		if err := g.Err(); err != nil {
			t.Fatal(err)
		}
		for _, of := range cells {
			rows = append(rows, fmt.Sprint(of...))
		}
	}
	return rows
}

func TestEveryTypeIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	var columns []Column
	for _, f := range everyField[:len(everyField)-1] { // lists are not read
		columns = append(columns, f.Column)
	}
	columns = append(columns, Column{Name: "absent"})
	for _, compression := range []string{"zstd", "zstd:19", "snappy", "none"} {
		var want []string
		for i := range 250 {
			text, json, body, flag, large := fmt.Sprint("text ", i%7), "{}", string([]byte{byte(i)}), any(i%2 == 0), any(int64(i)<<33)
			if i%4 == 0 {
				text, json, body = "-", "-", "-"
			}
			if i%3 == 0 {
				flag = "-"
			}
			if i%5 == 0 {
				large = "-"
			}
			want = append(want, fmt.Sprint(text, strconv.Itoa(i), json, body, flag, int32(i), large, "-"))
		}
		if diff := cmp.Diff(want, valuesOf(t, everyFile(t, 250, compression), testLimits, columns...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", compression, diff)
		}
	}
}

// TestWhatTheLibraryWroteIsRead: until pages were encoded here it wrote all files, with
// dictionaries of numbers too.
func TestWhatTheLibraryWroteIsRead(t *testing.T) {
	t.Parallel()
	columns := []Column{{Name: "text"}, {Name: "flag", Type: Bool}, {Name: "small", Type: Int32}, {Name: "large", Type: Int64, Required: true}}
	root, err := schemaOf("cursors", columns)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 3000
	var defs []int16
	var texts []arrow.ByteArray
	var flags []bool
	var small []int32
	var large []int64
	var want []string
	for i := range rows {
		large = append(large, int64(i)%11)
		if i%3 == 0 {
			defs = append(defs, 0)
			want = append(want, fmt.Sprint("-", "-", "-", int64(i)%11))
			continue
		}
		defs = append(defs, 1)
		texts, flags, small = append(texts, []byte(strconv.Itoa(i%500))), append(flags, i%2 == 0), append(small, int32(i%70))
		want = append(want, fmt.Sprint(strconv.Itoa(i%500), i%2 == 0, int32(i%70), int64(i)%11))
	}
	for _, options := range [][]arrow.WriterProperty{
		nil,
		{arrow.WithCompression(compress.Codecs.Zstd), arrow.WithDictionaryPageSizeLimit(500), arrow.WithDataPageSize(1000)},
		{arrow.WithCompression(compress.Codecs.Snappy), arrow.WithDictionaryDefault(false), arrow.WithEncodingFor("flag", arrow.Encodings.RLE)},
	} {
		var out bytes.Buffer
		w := file.NewParquetWriter(&out, root, file.WithWriterProps(arrow.NewWriterProperties(options...)))
		group := w.AppendRowGroup()
		for range columns {
			c, err := group.NextColumn()
			if err != nil {
				t.Fatal(err)
			}
			switch c := c.(type) {
			case *file.ByteArrayColumnChunkWriter:
				_, err = c.WriteBatch(texts, defs, nil)
			case *file.BooleanColumnChunkWriter:
				_, err = c.WriteBatch(flags, defs, nil)
			case *file.Int32ColumnChunkWriter:
				_, err = c.WriteBatch(small, defs, nil)
			case *file.Int64ColumnChunkWriter:
				_, err = c.WriteBatch(large, nil, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := valuesOf(t, out.Bytes(), Limits{Rows: rows, Bytes: 1 << 20}, columns...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%.600s", diff)
		}
	}
}
