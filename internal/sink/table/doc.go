// Package table is the lake as its readers see it: the tables, their columns and keys,
// the rows that fill them, what of them is hidden, and the files they lie in.
//
//	Row ──► Of ──► Table ──► NewFile ──► File.Append ──► check, mask ──► parquet
//	                                       │
//	                                       └──► Tally: rows, deletes, sums of money
//
// # Tables
//
// A table is a list of columns, each with the way to its value in the row's struct
// (tables.go, columns.go); those that all tables end in stand in [Meta]. A row sets
// the values of its key or, with the Op Delete, ends it: then all columns but the key's
// and those of Meta are null. Columns may be added at the end of a table's own; none may
// change its name or type, and no key its columns, since files that were written before
// stay: where that must be, the lake becomes one of another [Schema].
//
// # Values
//
// Null is the empty string, the zero time, the nil list, and an invalid [Decimal], [Date]
// or [Null]. In a key nothing is null: the empty string is a value there, in the columns
// that the API may leave out (maybeBlank), and an incomplete row in all others. Amounts are exact: a number that does not fit is [ErrInexact] and null, never
// rounded (values.go). Their sums are kept in 128 bits, and read back as text.
//
// # Masking
//
// What is hidden is hidden on its way into the buffers of the file (mask.go, mask_json.go): the
// package parquet asks a hook for each column, and the masker
// answers. A JSON text that cannot be taken apart is written as null. Keys are hidden
// like other columns, so that a row and the one that deletes it still meet; what is empty in
// a key hides nothing, and stays so. What a caller remembers of rows is its own to hide:
// Describe tells masks apart, and a Hasher hashes rows as they are written (mask_hash.go).
//
// # What may fail
//
// A row that lacks a part of its key or is no row of the table is [ErrRow]: nothing of it
// was kept, and the file goes on. All other errors of a [File] are those of the writer
// below it and are final. [ReadTally] reads back what a file holds, as a loader would; what
// it cannot read is damaged.
package table
