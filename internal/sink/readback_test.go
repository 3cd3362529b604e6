package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"

	"finoos-syncer/internal/sink/bucket"
)

// readAll reads an object of any size.
func readAll(ctx context.Context, store bucket.Objects, key string) ([]byte, error) {
	r, err := store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	body := make([]byte, r.Size())
	if n, err := r.ReadAt(body, 0); n < len(body) {
		return nil, err
	}
	return body, r.Close()
}

func sha256Hex(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// readColumns reads columns of strings that are never null of a Parquet file,
// row by row.
func readColumns(t *testing.T, store bucket.Objects, key string, columns ...string) (rows [][]string) {
	t.Helper()
	body, err := readAll(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	f, err := file.NewParquetReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	defer func() { _ = f.Close() }()
	rows = make([][]string, f.NumRows())
	for _, name := range columns {
		n := 0
		for g := range f.NumRowGroups() {
			for _, v := range readStrings(t, f.RowGroup(g), f.MetaData().Schema.ColumnIndexByName(name)) {
				rows[n] = append(rows[n], v)
				n++
			}
		}
	}
	return rows
}

func readStrings(t *testing.T, g *file.RowGroupReader, column int) []string {
	t.Helper()
	chunk, err := g.Column(column)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := chunk.(*file.ByteArrayColumnChunkReader)
	if !ok {
		t.Fatalf("column %d is no string: %T", column, chunk)
	}
	var all []string
	values, defs := make([]parquet.ByteArray, 1024), make([]int16, 1024)
	for r.HasNext() {
		_, n, err := r.ReadBatch(int64(len(values)), values, defs, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values[:n] {
			all = append(all, v.String())
		}
	}
	return all
}
