package table

import (
	"fmt"
	"io"

	"finoos-syncer/internal/sink/parquet"
)

// tableRows is a file of one table, for rows of its type only: check says of each
// whether it is one, add takes those that are.
type tableRows struct {
	file  *parquet.File
	check func(Row) error
	add   func([]Row)
	sums  []*columnSum
}

// columnSum adds up a column of amounts over all that the file was given.
type columnSum struct {
	column string
	sum    sum128
}

// openRows begins a file of a table. Columns for which erased says so are null in
// rows that delete.
func openRows[R any, P interface {
	*R
	Row
}](t *Table, fields []tableField[R], erased []bool, w io.Writer, o FileOptions,
) (tableRows, error) {
	mask := o.Masking.of(t.Name)
	var columns []parquet.Field[R]
	var required []*parquet.Field[R] // but for the run's: rows do not have it; nor what may be blank
	rows := tableRows{}
	var moneys []func([]*R)
	for i := range fields {
		f := &fields[i]
		if f.Name == runIDColumn {
			columns = append(columns, runID[R](o.RunID).required().Field)
			continue
		}
		columns = append(columns, f.Field)
		if f.Required && !f.blank {
			required = append(required, &f.Field)
		}
		if f.money == nil {
			continue
		}
		of := &columnSum{column: f.Name}
		rows.sums = append(rows.sums, of)
		if !mask.drops(f.Name) {
			moneys = append(moneys, func(rows []*R) { addUp(&of.sum, rows, f.money) })
		}
	}
	file, err := parquet.New(t.Name, columns, w, parquet.Options{Compression: o.Compression, Hook: mask.hook()})
	if err != nil {
		return tableRows{}, err
	}
	rows.file = file.File
	var typed []*R // rows at hand
	rows.check = func(row Row) error {
		r, ok := row.(P)
		if !ok {
			return fmt.Errorf("%w: %T does not belong to table %s", ErrRow, row, t.Name)
		}
		return checkRow(t.Name, required, r, r.meta())
	}
	rows.add = func(all []Row) {
		for len(all) > 0 {
			var op Op
			typed, op = takeRun[R, P](typed[:0], all)
			all = all[len(typed):]
			if op == Delete {
				file.Add(typed, erased)
				continue
			}
			file.Add(typed, nil)
			for _, sum := range moneys {
				sum(typed)
			}
		}
	}
	return rows, nil
}

// takeRun adds the rows at the front that do the same to their keys to those at
// hand, and says what they do.
func takeRun[R any, P interface {
	*R
	Row
}](typed []*R, rows []Row,
) ([]*R, Op) {
	op := rows[0].meta().Op
	for _, row := range rows {
		r, ok := row.(P)
		if !ok || row.meta().Op != op {
			break
		}
		typed = append(typed, r)
	}
	return typed, op
}

func addUp[R any](sum *sum128, rows []*R, amount func(*R) Decimal) {
	for _, r := range rows {
		if d := amount(r); d.Valid {
			sum.add(d.Units)
		}
	}
}

// checkRow reports what the writer cannot store truthfully.
func checkRow[R any](table string, required []*parquet.Field[R], r *R, m *Meta) error {
	if m.Op != Upsert && m.Op != Delete {
		return fmt.Errorf("%w: %s: op %q", ErrRow, table, m.Op)
	}
	for _, f := range required {
		if f.IsNull(r) {
			return fmt.Errorf("%w: %s: no %s", ErrRow, table, f.Name)
		}
	}
	return nil
}
