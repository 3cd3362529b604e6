package table

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/parquet"
)

// MinMaskKey is how many bytes a key has at least that is to be relied on: account
// numbers are few enough to be tried out with a short one.
const MinMaskKey = 16

// MaskAction is what becomes of a value that is hidden.
type MaskAction string

// The ways to hide a value.
const (
	// MaskHMAC writes HMAC-SHA-256 of it instead (RFC 2104), 64 hexadecimal
	// digits: the same value is the same everywhere, so that joins work, and
	// cannot be found again without the key.
	MaskHMAC MaskAction = "hmac"
	// MaskDrop writes null.
	MaskDrop MaskAction = "drop"
)

// Mask says what of one table is hidden.
type Mask struct {
	Columns map[string]MaskAction
	// Fields are members inside of JSON columns.
	Fields []MaskField
}

// MaskField names members of JSON objects: those that the end of their path is
// Path of, wherever they stand, lists left out. Names are compared without case
// and underscores. What stands in the columns partner and attributes has the
// column's name before it.
type MaskField struct {
	Path   []string
	Action MaskAction
}

// Masking is what a writer hides, by table.
type Masking struct {
	Key    []byte
	Tables map[string]Mask
}

// Check reports a table or column that there is not, and what cannot be hidden
// without breaking the lake: a key's column cannot be dropped, numbers and dates
// have no HMAC, and what the tables end in stays as it is, but for _extra.
func (m Mask) Check(table string) error {
	t := ByName(table)
	if t == nil {
		return fmt.Errorf("there is no table %q", table)
	}
	for name, action := range m.Columns {
		if err := t.checkMask(name, action); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) checkMask(name string, action MaskAction) error {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return fmt.Errorf("the table %s has no column %q", t.Name, name)
	}
	c := t.Columns[i]
	switch {
	case action != MaskHMAC && action != MaskDrop:
		return fmt.Errorf("%q is no way to hide a column: write hmac or drop", action)
	case name == "_extra" && action == MaskDrop:
		return nil
	case t.Name == PullsName && (name == "stream" || name == "outcome" || name == "mode"), name[0] == '_':
		return fmt.Errorf("%s cannot be hidden: the current state is told by it", name)
	case c.Key && action == MaskDrop:
		return fmt.Errorf("%s is a part of the key of %s and cannot be dropped: write hmac", name, t.Name)
	case action == MaskHMAC && c.Type == TypeJSON:
		return fmt.Errorf("%s is JSON: drop it, or hide a member, as in %s.name: hmac", name, name)
	case action == MaskHMAC && c.Type != TypeString && c.Type != TypeStringList:
		return fmt.Errorf("%s is a %s and has no hmac: drop it", name, c.Type)
	}
	return nil
}

// Describe says in one text what is hidden of a table, or only of its key: two that
// hide the same have the same. It is empty where nothing is. hashes says that some of
// it is, so that it depends on the key as well.
func (m *Masking) Describe(table string, keyOnly bool) (text string, hashes bool) {
	t := ByName(table)
	if m == nil || t == nil {
		return "", false
	}
	var parts []string
	add := func(kind, name string, action MaskAction) {
		parts = append(parts, kind+name+"="+string(action))
		hashes = hashes || action == MaskHMAC
	}
	mask := m.Tables[table]
	for _, c := range t.Columns {
		if action := mask.Columns[c.Name]; action != "" && (c.Key || !keyOnly) {
			add("column ", c.Name, action)
		}
	}
	for _, f := range mask.Fields {
		if !keyOnly {
			add("member ", strings.Join(f.Path, "."), f.Action)
		}
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), "\n"), hashes
}

// UserID is the id under which the tables have a user: of use to whoever reads these.
func (m *Masking) UserID(id string) string {
	if mask := m.of(UsersName); mask != nil && mask.columns["user_id"] == MaskHMAC {
		return mask.digest(id)
	}
	return id
}

// masker hides values of one file. It is not safe for concurrent use.
type masker struct {
	columns map[string]MaskAction
	fields  []MaskField
	mac     hash.Hash
	sum     []byte
}

// of returns what hides the values of a table's file, nil if nothing is hidden.
func (m *Masking) of(table string) *masker {
	if m == nil {
		return nil
	}
	mask, ok := m.Tables[table]
	if !ok || len(mask.Columns)+len(mask.Fields) == 0 {
		return nil
	}
	return &masker{columns: mask.Columns, fields: mask.Fields, mac: hmac.New(sha256.New, m.Key)}
}

// hook is what a file asks of the masker, nil where nothing is hidden.
func (m *masker) hook() parquet.Hook {
	if m == nil {
		return nil
	}
	return func(c parquet.Column) (func(string) string, bool) { return m.text(c), m.drops(c.Name) }
}

// drops reports whether a column is written as null.
func (m *masker) drops(column string) bool { return m != nil && m.columns[column] == MaskDrop }

// text returns what becomes of a column's values, nil if they stay.
func (m *masker) text(c parquet.Column) func(string) string {
	switch {
	case m.drops(c.Name):
		return func(string) string { return "" }
	case c.Type == TypeJSON && len(m.fields) > 0:
		return m.json(c.Name)
	case m.columns[c.Name] == MaskHMAC:
		return m.digest
	}
	return nil
}

// digest is a value's HMAC; null stays null, and what is empty in a key empty.
func (m *masker) digest(value string) string {
	if value == "" {
		return ""
	}
	m.mac.Reset()
	_, _ = m.mac.Write([]byte(value)) // never fails
	m.sum = m.mac.Sum(m.sum[:0])
	return hex.EncodeToString(m.sum)
}
