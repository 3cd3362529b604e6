package table

import (
	"fmt"

	"finoos-syncer/internal/sink/parquet"
)

// tallyLimits are what a row group holds at most, several times over, of the few
// columns that are counted.
var tallyLimits = parquet.Limits{Rows: 4 * maxRowGroupRows, Bytes: 8 * DefaultRowGroupBytes}

// ReadTally counts what a file of a table holds, by reading all of what tells it.
// A file that cannot be read, or lacks a column that is counted, is an error.
func ReadTally(f parquet.Stored, table *Table) (t Tally, err error) {
	reader, err := parquet.Open(parquet.NewSource(f), tallyLimits)
	if err != nil {
		return Tally{}, err
	}
	for i := range reader.Groups() {
		rows, err := tallyGroup(reader, i, table)
		if err != nil {
			return Tally{}, err
		}
		t.Add(rows)
	}
	return t, nil
}

func tallyGroup(reader *parquet.Reader, i int, table *Table) (Tally, error) {
	g, err := reader.Group(i)
	if err != nil {
		return Tally{}, err
	}
	t := Tally{Rows: int64(g.Rows()), Sums: map[string]string{}}
	for _, c := range table.Columns {
		if c.Name != opColumn && c.Type != TypeDecimal {
			continue
		}
		if !reader.Has(c.Name) {
			return Tally{}, fmt.Errorf("%w: no column %s", parquet.ErrCorrupt, c.Name)
		}
		if c.Name == opColumn {
			parquet.ReadText(g, c.Name, func(_ int, v []byte) {
				switch Op(v) {
				case Upsert:
					t.Upserts++
				case Delete:
					t.Deletes++
				}
			})
			continue
		}
		var sum sum128
		parquet.Read(g, c.Name, func(_ int, v int64) { sum.add(v) })
		t.Sums[c.Name] = sum.String()
	}
	if other := t.Rows - t.Upserts - t.Deletes; g.Err() == nil && other != 0 {
		return Tally{}, fmt.Errorf("%w: %d rows are neither upserts nor deletes", parquet.ErrCorrupt, other)
	}
	return t, g.Err()
}

const opColumn = "_op"
