package finoos

import "database/sql"

// Record is what every model carries besides its fields.
type Record struct {
	Extra string // JSON object of the fields without a place in the model, "" if there are none
	Hash  uint64 // fingerprint of all that the API said about this record
	// Unreadable counts the fields that could not be read: they are null, and stay
	// in Extra as they were spelled.
	Unreadable int `json:",omitempty"`
	// Replaced counts the fields with text that cannot be had: what was not UTF-8,
	// half of a surrogate pair or NUL is U+FFFD, wherever it is kept.
	Replaced int `json:",omitempty"`
}

// Number is a JSON number as it was spelled ("1.10", "1e-4"); "" is null. It
// is never converted: floats have no place where money is.
type Number string

// Null is a value that may be null.
type Null[T any] = sql.Null[T]
