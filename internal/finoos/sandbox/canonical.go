package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// CanonicalJSON sorts the keys of a JSON text at every level and drops white
// space. Numbers keep their spelling.
func CanonicalJSON(text string) (string, error) {
	v, err := parse(text)
	if err != nil {
		return "", err
	}
	return render(v)
}

// CanonicalExtra is CanonicalJSON for the _extra of a table, without what a
// lake may hold in an older version, or not at all: fields that change at
// every synchronisation (a user's expiresIn, the ids of standing orders), and
// those that are null or "". What is left empty is "".
func CanonicalExtra(table, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	v, err := parse(text)
	if err != nil {
		return "", err
	}
	fields, isObject := v.(map[string]any)
	if !isObject {
		return "", fmt.Errorf("the _extra of %s is no object: %s", table, text)
	}
	switch table {
	case "users":
		delete(fields, "expiresIn")
	case "accounts":
		if orders, isList := fields["standingOrders"].([]any); isList {
			for _, o := range orders {
				if order, isObject := o.(map[string]any); isObject {
					delete(order, "id")
				}
			}
		}
	}
	dropUnknown(fields)
	if len(fields) == 0 {
		return "", nil
	}
	return render(fields)
}

func dropUnknown(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if field == nil || field == "" {
				delete(v, name)
			}
			dropUnknown(field)
		}
	case []any:
		for _, e := range v {
			dropUnknown(e)
		}
	}
}

func parse(text string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("parse %q: %w", text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parse %q: more than one value", text)
	}
	return v, nil
}

func render(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// held is the _extra of fields that no column holds.
func held(table string, e extras) any {
	canon, err := CanonicalExtra(table, e.object())
	if err != nil {
		panic(err) // our own JSON
	}
	return text(canon)
}

func (e extras) object() string {
	var w wire
	w.open('{')
	e.write(&w)
	w.close('}')
	return string(w.b)
}

func canonical(text string) string {
	canon, err := CanonicalJSON(text)
	if err != nil {
		panic(err) // our own JSON
	}
	return canon
}
