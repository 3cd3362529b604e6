package table

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// RowHasher hashes rows of one table as they are written: by what stands in their own
// columns and in _extra once that is masked. Of what is dropped the hash tells nothing. It
// is not safe for concurrent use.
type RowHasher func(Row) uint64

// Hasher makes what hashes a table's rows. Members of JSON columns that are in ignored
// count for nothing, nor does the order of members, nor what says when a user was seen.
func (m *Masking) Hasher(table string, ignored ...MaskField) RowHasher {
	t := ByName(table)
	of := masker{}
	if own := m.of(table); own != nil {
		of = *own
	}
	of.fields = append(slices.Clip(ignored), of.fields...)
	return t.hash(&of)
}

// hashRows is the hash of a table whose rows are R.
func hashRows[R any, P interface {
	*R
	Row
}](fields []tableField[R], m *masker,
) RowHasher {
	var parts []func(*R, []byte) []byte
	for i := range fields {
		f := &fields[i]
		if f.plain == nil || f.lasting {
			continue
		}
		change := m.text(f.Column)
		switch {
		case m.drops(f.Name):
		case f.Type == TypeJSON:
			parts = append(parts, func(r *R, b []byte) []byte { return f.plain(r, ordered(change), b) })
		default:
			parts = append(parts, func(r *R, b []byte) []byte { return f.plain(r, change, b) })
		}
	}
	var text []byte
	return func(row Row) uint64 {
		r, ok := row.(P)
		if !ok {
			return 0 // it is no row of the table, and will not be written
		}
		text = text[:0]
		for _, part := range parts {
			text = part(r, text)
		}
		return xxhash.Sum64(text)
	}
}

// ordered is what change makes of a JSON text, with the members of objects in order.
func ordered(change func(string) string) func(string) string {
	return func(text string) string {
		if change != nil {
			text = change(text)
		}
		if text == "" {
			return ""
		}
		v := jsontext.Value(text)
		err := v.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
			jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
		if err != nil {
			return text // it is compared as it is
		}
		return string(v)
	}
}

// appendPlain appends a text so that no two lists of texts look alike; "" is null.
func appendPlain(b []byte, text string, change func(string) string) []byte {
	if change != nil {
		text = change(text)
	}
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendFixed appends a value of one width, or that it is null.
func appendFixed(b []byte, v uint64, valid bool) []byte {
	if !valid {
		return append(b, 0)
	}
	return binary.LittleEndian.AppendUint64(append(b, 1), v)
}
