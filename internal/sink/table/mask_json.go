package table

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// json returns what becomes of the texts of a JSON column. A text that cannot
// be read is written as null: it must not slip through.
func (m *masker) json(column string) func(string) string {
	var root []string
	if column != "_extra" {
		root = []string{plainName(column)}
	}
	return func(text string) string {
		if text == "" {
			return ""
		}
		var out bytes.Buffer
		j := jsonMask{
			masker: m,
			dec:    jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
			enc:    jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true)),
		}
		if err := j.value(root, ""); err != nil {
			return ""
		}
		masked := strings.TrimSuffix(out.String(), "\n")
		if masked == "{}" && text != "{}" {
			return ""
		}
		return masked
	}
}

// jsonMask copies one JSON text.
type jsonMask struct {
	*masker
	dec *jsontext.Decoder
	enc *jsontext.Encoder
}

// value copies the value at a path; action is what hides all scalars in it, ""
// if they stay.
func (j *jsonMask) value(path []string, action MaskAction) error {
	if k := j.dec.PeekKind(); k == jsontext.KindBeginObject || k == jsontext.KindBeginArray {
		return j.members(path, action)
	}
	v, err := j.dec.ReadValue()
	if action == "" {
		action = j.hidesWithin(path)
	}
	switch {
	case err != nil:
		return err
	case action == "" || v.Kind() == jsontext.KindNull:
		return j.enc.WriteValue(v)
	case action == MaskDrop:
		return j.enc.WriteToken(jsontext.Null)
	}
	text := string(v)
	if v.Kind() == jsontext.KindString {
		raw, _ := jsontext.AppendUnquote(nil, v)
		text = string(raw)
	}
	return j.enc.WriteToken(jsontext.String(j.digest(text)))
}

// members copies an object or a list with what is hidden of it.
func (j *jsonMask) members(path []string, action MaskAction) error {
	begin, err := j.dec.ReadToken()
	if err != nil {
		return err
	}
	isObject := begin.Kind() == jsontext.KindBeginObject
	if err := j.enc.WriteToken(begin); err != nil {
		return err
	}
	for j.dec.PeekKind() != jsontext.KindEndObject && j.dec.PeekKind() != jsontext.KindEndArray {
		at, inside := path, action
		if isObject {
			name, err := j.dec.ReadValue()
			if err != nil {
				return err
			}
			name = slices.Clone(name)                     // valid until the next is read
			plain, _ := jsontext.AppendUnquote(nil, name) // a lone surrogate reads as U+FFFD
			at = append(slices.Clip(path), plainName(string(plain)))
			if found := j.hides(at); found != "" {
				inside = found
			}
			if inside == MaskDrop {
				if err := j.dec.SkipValue(); err != nil {
					return err
				}
				continue
			}
			if err := j.enc.WriteValue(name); err != nil {
				return err
			}
		}
		if err := j.value(at, inside); err != nil {
			return err
		}
	}
	end, err := j.dec.ReadToken()
	if err != nil {
		return err
	}
	return j.enc.WriteToken(end)
}

// hides returns what hides the member at a path. Dropping wins.
func (m *masker) hides(path []string) (action MaskAction) {
	for _, f := range m.fields {
		if n := len(path) - len(f.Path); n < 0 || !slices.Equal(path[n:], f.Path) {
			continue
		}
		if action = f.Action; action == MaskDrop {
			return action
		}
	}
	return action
}

// hidesWithin returns what hides a scalar that stands where an object is due of
// which a member is hidden: it may be what that member would say.
func (m *masker) hidesWithin(path []string) (action MaskAction) {
	for _, f := range m.fields {
		for k := 1; k < len(f.Path); k++ {
			if n := len(path) - k; n < 0 || !slices.Equal(path[n:], f.Path[:k]) {
				continue
			}
			if action = f.Action; action == MaskDrop {
				return action
			}
		}
	}
	return action
}

// plainName is a name without case and underscores, in which the names of the
// API and those of columns meet.
func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// MaskPath is the path of a member as written in a configuration, with dots
// between the names, for [MaskField].
func MaskPath(dotted string) []string {
	path := strings.Split(dotted, ".")
	for i, name := range path {
		path[i] = plainName(name)
	}
	return path
}
