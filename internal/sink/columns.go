package sink

import (
	"time"
)

// ColumnType is what a column holds; each has one form in Parquet.
type ColumnType int

// The types of columns.
const (
	TypeString     ColumnType = iota // UTF-8
	TypeJSON                         // JSON text, stored as a plain string
	TypeDecimal                      // decimal(18,4), stored in 64 bits
	TypeDate                         // a day
	TypeTimestamp                    // an instant, microseconds, UTC
	TypeStringList                   // a list of strings: null, empty, or filled
	TypeBool
	TypeInt32
	TypeInt64
	typeBytes // opaque, in cursor files only
)

// String returns the type's name.
func (t ColumnType) String() string {
	switch t {
	case TypeString:
		return "string"
	case TypeJSON:
		return "json"
	case TypeDecimal:
		return "decimal(18,4)"
	case TypeDate:
		return "date"
	case TypeTimestamp:
		return "timestamp"
	case TypeStringList:
		return "list<string>"
	case TypeBool:
		return "bool"
	case TypeInt32:
		return "int32"
	case TypeInt64:
		return "int64"
	case typeBytes:
		return "bytes"
	}
	return "unknown"
}

// Column describes one column of a table.
type Column struct {
	Name string
	Type ColumnType
	// Key says that the column is part of the table's key.
	Key bool
	// Required says that the column is never null: the key's columns, _op,
	// _extracted_at and _run_id. All others are nullable.
	Required bool

	// dictionary says that values repeat: each is stored once per row group
	// and referred to.
	dictionary bool
}

// field is a column together with the way to its value in a row of type R.
type field[R any] struct {
	Column
	// bind makes a buffer for one file, and the function that moves the values
	// of rows into it.
	bind func(c Column, file *binding) (buffer, func([]*R))
	// isNull reports that a row has no value.
	isNull func(*R) bool
}

// binding is what the buffers of one file have in common.
type binding struct {
	runID string
	held  int64   // bytes that the buffered rows take up
	mask  *masker // nil = nothing is hidden
}

// required marks a column as never null.
func (f field[R]) required() field[R] {
	f.Required = true
	return f
}

// unique turns the dictionary off, where hardly a value comes twice.
func (f field[R]) unique() field[R] {
	f.dictionary = false
	return f
}

// repeated turns the dictionary on.
func (f field[R]) repeated() field[R] {
	f.dictionary = true
	return f
}

// text is a column of strings, the empty one being null. It has a dictionary.
func text[R any](name string, get func(*R) string) field[R] {
	return field[R]{
		Column: Column{Name: name, Type: TypeString, dictionary: true},
		isNull: func(r *R) bool { return get(r) == "" },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			hide := file.mask.text(c)
			return b, func(rows []*R) {
				for len(rows) > 0 {
					s, n := get(rows[0]), 1
					for n < len(rows) && get(rows[n]) == s {
						n++
					}
					if hide != nil {
						s = hide(s)
					}
					b.addRun(s, n)
					rows = rows[n:]
				}
			}
		},
	}
}

// jsonText is a column of JSON texts, the empty one being null.
func jsonText[R any](name string, get func(*R) string) field[R] {
	f := text(name, get)
	f.Type = TypeJSON
	return f.unique()
}

// runID is the column that holds the file's run; the rows do not.
func runID[R any](name string) field[R] {
	f := text(name, func(*R) string { return "" })
	f.isNull = func(*R) bool { return false }
	f.bind = func(c Column, file *binding) (buffer, func([]*R)) {
		b := newTextBuffer(c, file)
		return b, func(rows []*R) { b.addRun(file.runID, len(rows)) }
	}
	return f
}

// opaque is a column of bytes that mean nothing here; none are null.
func opaque[R any](name string, get func(*R) []byte) field[R] {
	return field[R]{
		Column: Column{Name: name, Type: typeBytes},
		isNull: func(r *R) bool { return len(get(r)) == 0 },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			return b, func(rows []*R) {
				for _, r := range rows {
					b.addBytes(get(r))
				}
			}
		},
	}
}

// list is a column of lists of strings. It has a dictionary.
func list[R any](name string, get func(*R) []string) field[R] {
	return field[R]{
		Column: Column{Name: name, Type: TypeStringList, dictionary: true},
		isNull: func(r *R) bool { return get(r) == nil },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			switch hide := file.mask.text(c); {
			case file.mask.drops(c.Name):
				return b, nulls[R](b)
			case hide != nil:
				return b, func(rows []*R) {
					for _, r := range rows {
						b.addList(each(get(r), hide))
					}
				}
			}
			return b, func(rows []*R) {
				for _, r := range rows {
					b.addList(get(r))
				}
			}
		},
	}
}

// nulls moves nothing but nulls into a buffer.
func nulls[R any](b buffer) func([]*R) {
	return func(rows []*R) {
		for range rows {
			b.addNull()
		}
	}
}

// each is a list with its items changed; null stays null.
func each(list []string, change func(string) string) []string {
	if list == nil {
		return nil
	}
	changed := make([]string, len(list))
	for i, item := range list {
		changed[i] = change(item)
	}
	return changed
}

// fixed is a column of values of one width, which get takes from a row
// together with their validity.
func fixed[T plain, R any](name string, typ ColumnType, get func(*R) (T, bool)) field[R] {
	return field[R]{
		Column: Column{Name: name, Type: typ},
		isNull: func(r *R) bool { _, ok := get(r); return !ok },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newFixedBuffer[T](c, file)
			if file.mask.drops(c.Name) {
				return b, nulls[R](b)
			}
			return b, func(rows []*R) {
				for _, r := range rows {
					b.add(get(r))
				}
			}
		},
	}
}

// money is a column of amounts, which are added up for the file's tally.
func money[R any](name string, get func(*R) Decimal) field[R] {
	return field[R]{
		Column: Column{Name: name, Type: TypeDecimal},
		isNull: func(r *R) bool { return !get(r).Valid },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := &moneyBuffer{fixedBuffer: newFixedBuffer[int64](c, file), name: c.Name}
			if file.mask.drops(c.Name) {
				return b, nulls[R](b)
			}
			return b, func(rows []*R) {
				for _, r := range rows {
					b.add(get(r))
				}
			}
		},
	}
}

// instant is a column of times, the zero time being null.
func instant[R any](name string, get func(*R) time.Time) field[R] {
	return fixed(name, TypeTimestamp, func(r *R) (int64, bool) {
		t := get(r)
		if t.IsZero() {
			return 0, false
		}
		return t.UnixMicro(), true
	})
}

// date is a column of days.
func date[R any](name string, get func(*R) Date) field[R] {
	return fixed(name, TypeDate, func(r *R) (int32, bool) {
		d := get(r)
		return d.Days, d.Valid
	})
}

// flag is a column of truth values.
func flag[R any](name string, get func(*R) Null[bool]) field[R] {
	return fixed(name, TypeBool, func(r *R) (bool, bool) {
		v := get(r)
		return v.V, v.Valid
	})
}

// small is a column of 32-bit integers.
func small[R any](name string, get func(*R) Null[int32]) field[R] {
	return fixed(name, TypeInt32, func(r *R) (int32, bool) {
		v := get(r)
		return v.V, v.Valid
	})
}

// count is a column of 64-bit integers that are always there, be it as 0.
func count[R any](name string, get func(*R) int64) field[R] {
	return fixed(name, TypeInt64, func(r *R) (int64, bool) { return get(r), true })
}
