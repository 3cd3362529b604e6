package parquet

// Type is what a column holds; each has one form in a file.
type Type int

// The types of columns.
const (
	String     Type = iota // UTF-8
	JSON                   // JSON text, stored as a plain string
	Decimal                // decimal(18,4), stored in 64 bits
	Date                   // a day
	Timestamp              // an instant, microseconds, UTC
	StringList             // a list of strings: null, empty, or filled
	Bool
	Int32
	Int64
	Bytes // opaque; without statistics
)

// The form of Decimal: an amount is counted in units of 10 to the power of
// -DecimalScale, of which there are less than 10 to the power of DecimalDigits.
const (
	DecimalScale  = 4
	DecimalDigits = 18
)

// String returns the type's name.
func (t Type) String() string {
	switch t {
	case String:
		return "string"
	case JSON:
		return "json"
	case Decimal:
		return "decimal(18,4)"
	case Date:
		return "date"
	case Timestamp:
		return "timestamp"
	case StringList:
		return "list<string>"
	case Bool:
		return "bool"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Bytes:
		return "bytes"
	}
	return "unknown"
}

// Column describes one column of a file.
type Column struct {
	Name string
	Type Type
	// Required says that the column is never null. All others are nullable.
	Required bool

	// dictionary says that values repeat: each is stored once per row group
	// and referred to.
	dictionary bool
}
