package table

import (
	"time"

	"finoos-syncer/internal/sink/parquet"
)

// ColumnType is what a column holds; each has one form in Parquet.
type ColumnType = parquet.Type

// The types of columns.
const (
	TypeString     = parquet.String     // UTF-8
	TypeJSON       = parquet.JSON       // JSON text, stored as a plain string
	TypeDecimal    = parquet.Decimal    // decimal(18,4), stored in 64 bits
	TypeDate       = parquet.Date       // a day
	TypeTimestamp  = parquet.Timestamp  // an instant, microseconds, UTC
	TypeStringList = parquet.StringList // a list of strings: null, empty, or filled
	TypeBool       = parquet.Bool
	TypeInt32      = parquet.Int32
	TypeInt64      = parquet.Int64
)

// Column describes one column of a table: its name, its type, and whether it is
// Required, that is never null: the key's columns, _op, _extracted_at and _run_id.
// All others are nullable.
type Column struct {
	parquet.Column
	// Key says that the column is part of the table's key.
	Key bool
}

// tableField is a column of a table together with the way to its value in a row
// of type R.
type tableField[R any] struct {
	parquet.Field[R]
	// money is set for amounts, which are added up for the file's tally.
	money func(*R) Decimal
	// plain appends the value to what a row is hashed by, changed if it is a text and
	// change is not nil; nil for what is not the row's own.
	plain func(r *R, change func(string) string, b []byte) []byte
	// lasting columns are written in a row that deletes, too.
	lasting bool
	// blank columns of a key may be the empty string, which is a value there.
	blank bool
}

// required marks a column as never null.
func (f tableField[R]) required() tableField[R] {
	f.Field = f.NotNull()
	return f
}

// kept lets a row that deletes have the column.
func (f tableField[R]) kept() tableField[R] {
	f.lasting = true
	return f
}

// maybeBlank lets a text of the key be empty, where the API may leave it out: the
// row has a key all the same, in which the empty string stays what it is.
func (f tableField[R]) maybeBlank() tableField[R] {
	f.blank = true
	return f
}

// unique turns the dictionary off, where hardly a value comes twice.
func (f tableField[R]) unique() tableField[R] {
	f.Field = f.Unique()
	return f
}

// repeated turns the dictionary on.
func (f tableField[R]) repeated() tableField[R] {
	f.Field = f.Repeated()
	return f
}

// text is a column of strings, the empty one being null but in a key. It has a
// dictionary.
func text[R any](name string, get func(*R) string) tableField[R] {
	return tableField[R]{Field: parquet.Text(name, get), plain: plainText(get)}
}

// plainText appends a text to what a row is hashed by.
func plainText[R any](get func(*R) string) func(*R, func(string) string, []byte) []byte {
	return func(r *R, change func(string) string, b []byte) []byte { return appendPlain(b, get(r), change) }
}

// jsonText is a column of JSON texts, the empty one being null.
func jsonText[R any](name string, get func(*R) string) tableField[R] {
	return tableField[R]{Field: parquet.JSONText(name, get), plain: plainText(get)}
}

// runID is the column that holds the file's run: the rows do not, and each file
// has a field of its own in its place.
func runID[R any](run string) tableField[R] {
	return tableField[R]{Field: parquet.Constant[R](runIDColumn, run)}
}

const runIDColumn = "_run_id"

// list is a column of lists of strings. It has a dictionary.
func list[R any](name string, get func(*R) []string) tableField[R] {
	return tableField[R]{Field: parquet.List(name, get), plain: func(r *R, change func(string) string, b []byte) []byte {
		items := get(r)
		b = appendFixed(b, uint64(len(items)), items != nil)
		for _, item := range items {
			b = appendPlain(b, item, change)
		}
		return b
	}}
}

// money is a column of amounts, which are added up for the file's tally.
func money[R any](name string, get func(*R) Decimal) tableField[R] {
	units := func(r *R) (int64, bool) {
		d := get(r)
		return d.Units, d.Valid
	}
	return tableField[R]{Field: parquet.Fixed(name, TypeDecimal, units), money: get, plain: func(r *R, _ func(string) string, b []byte) []byte {
		v, valid := units(r)
		return appendFixed(b, uint64(v), valid) // bits are meant
	}}
}

// instant is a column of times, the zero time being null.
func instant[R any](name string, get func(*R) time.Time) tableField[R] {
	return tableField[R]{Field: parquet.Instant(name, get), plain: func(r *R, _ func(string) string, b []byte) []byte {
		t := get(r)
		return appendFixed(b, uint64(t.UnixMicro()), !t.IsZero()) // bits are meant
	}}
}

// date is a column of days.
func date[R any](name string, get func(*R) Date) tableField[R] {
	return tableField[R]{Field: parquet.Fixed(name, TypeDate, func(r *R) (int32, bool) {
		d := get(r)
		return d.Days, d.Valid
	}), plain: func(r *R, _ func(string) string, b []byte) []byte {
		d := get(r)
		return appendFixed(b, uint64(d.Days), d.Valid) // bits are meant
	}}
}

// flag is a column of truth values.
func flag[R any](name string, get func(*R) Null[bool]) tableField[R] {
	return tableField[R]{Field: parquet.Fixed(name, TypeBool, func(r *R) (bool, bool) {
		v := get(r)
		return v.V, v.Valid
	}), plain: func(r *R, _ func(string) string, b []byte) []byte {
		v := get(r)
		if v.V {
			return appendFixed(b, 1, v.Valid)
		}
		return appendFixed(b, 0, v.Valid)
	}}
}

// small is a column of 32-bit integers.
func small[R any](name string, get func(*R) Null[int32]) tableField[R] {
	return tableField[R]{Field: parquet.Fixed(name, TypeInt32, func(r *R) (int32, bool) {
		v := get(r)
		return v.V, v.Valid
	})}
}

// count is a column of 64-bit integers that are always there, be it as 0.
func count[R any](name string, get func(*R) int64) tableField[R] {
	return tableField[R]{Field: parquet.Fixed(name, TypeInt64, func(r *R) (int64, bool) { return get(r), true })}
}
