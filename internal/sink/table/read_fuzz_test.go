package table

import (
	"bytes"
	"errors"
	"testing"

	"finoos-syncer/internal/sink/parquet"
)

// FuzzTally: a data file is refused as corrupt, or its rows are counted.
func FuzzTally(f *testing.F) {
	for _, compression := range []string{"zstd", "snappy", "none"} {
		var out bytes.Buffer
		file, err := NewFile(contractsTable, &out, FileOptions{RunID: "run001", Compression: compression})
		if err != nil {
			f.Fatal(err)
		}
		for i := range 40 {
			meta := Meta{Op: Upsert, Pull: Full}
			if i%7 == 0 {
				meta.Op = Delete
			}
			row := &Contract{UserID: "u", ContractID: string(rune('a' + i)), Amount: Decimal{Units: int64(i) * 10_000, Valid: i%3 > 0}, Meta: meta}
			row.ExtractedAt = row.ExtractedAt.AddDate(2025, 0, i)
			if err := file.Append(row); err != nil {
				f.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tally, err := ReadTally(bytes.NewReader(body), contractsTable)
		if err != nil && !errors.Is(err, parquet.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
		if err == nil && tally.Rows != tally.Upserts+tally.Deletes {
			t.Errorf("got %+v", tally)
		}
	})
}
