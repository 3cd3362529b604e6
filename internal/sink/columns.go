package sink

import "time"

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

	// dictionary says that values repeat, so that they are stored once per
	// row group and referred to.
	dictionary bool
}

// field is a column together with the way to its value in a row of type R.
type field[R any] struct {
	Column
	// bind makes a buffer for one file and the function that moves a row's
	// value into it.
	bind func() (buffer, func(*R))
	// absent reports that a required value is missing.
	absent func(*R) bool
}

// key marks a column as part of the key, which is never null.
func (f field[R]) key() field[R] {
	f.Key = true
	return f.required()
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

func text[R any](name string, get func(*R) string) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeString, dictionary: true}}
}

func list[R any](name string, get func(*R) []string) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeStringList, dictionary: true}}
}

func jsonText[R any](name string, get func(*R) string) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeJSON}}
}

func money[R any](name string, get func(*R) Decimal) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeDecimal}}
}

func date[R any](name string, get func(*R) Date) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeDate}}
}

func instant[R any](name string, get func(*R) time.Time) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeTimestamp}}
}

func flag[R any](name string, get func(*R) Null[bool]) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeBool}}
}

func small[R any](name string, get func(*R) Null[int32]) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeInt32}}
}

func count[R any](name string, get func(*R) int64) field[R] {
	return field[R]{Column: Column{Name: name, Type: TypeInt64}}
}
