package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/parquet/parquettest"
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
	names, all := parquettest.Read(t, body)
	rows = make([][]string, len(all))
	for _, column := range columns {
		i := slices.Index(names, column)
		if i < 0 {
			t.Fatalf("%s has no column %s", key, column)
		}
		for n, row := range all {
			rows[n] = append(rows[n], row[i])
		}
	}
	return rows
}
