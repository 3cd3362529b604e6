package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink/table"
)

// Schema returns the JSON schema (draft 07, which editors understand) of
// jobs.yaml, made from the same tags that the loader reads; the descriptions are
// the comments of config.go. It never refuses what the loader accepts (but a mask
// that hides nothing in a table that is none). The loader refuses more: what only
// a second key or a calendar can tell.
func Schema() ([]byte, error) {
	docs, err := manualOf(structs)
	if err != nil {
		return nil, fmt.Errorf("read the manual in config.go: %w", err)
	}
	root := docs.mapping(configSpec)
	root.Schema = "http://json-schema.org/draft-07/schema#"
	root.Title, root.Description = "jobs.yaml", "What syncer pulls, when, from which tenant, into which sink."
	text, err := json.Marshal(root, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// schemaNode is the part of JSON schema that a jobs.yaml needs.
type schemaNode struct {
	Schema               string         `json:"$schema,omitzero"`
	Title                string         `json:"title,omitzero"`
	Description          string         `json:"description,omitzero"`
	Default              any            `json:"default,omitzero"`
	Type                 any            `json:"type,omitzero"`
	Enum                 []any          `json:"enum,omitzero"`
	Pattern              string         `json:"pattern,omitzero"`
	MinLength            int            `json:"minLength,omitzero"`
	Minimum              jsontext.Value `json:"minimum,omitzero"`
	Maximum              jsontext.Value `json:"maximum,omitzero"`
	Items                *schemaNode    `json:"items,omitzero"`
	MinItems             int            `json:"minItems,omitzero"`
	UniqueItems          bool           `json:"uniqueItems,omitzero"`
	Properties           schemaMembers  `json:"properties,omitzero"`
	PropertyNames        *schemaNode    `json:"propertyNames,omitzero"`
	AdditionalProperties any            `json:"additionalProperties,omitzero"`
	MinProperties        int            `json:"minProperties,omitzero"`
	Required             []string       `json:"required,omitzero"`
	AllOf                []*schemaNode  `json:"allOf,omitzero"`
	AnyOf                []*schemaNode  `json:"anyOf,omitzero"`
	OneOf                []*schemaNode  `json:"oneOf,omitzero"`
	Not                  *schemaNode    `json:"not,omitzero"`
}

// schemaMembers are written in their order, which is that of the manual.
type schemaMembers []schemaMember

type schemaMember struct {
	key  string
	node *schemaNode
}

// MarshalJSONTo writes an object.
func (m schemaMembers) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, member := range m {
		if err := e.WriteToken(jsontext.String(member.key)); err != nil {
			return err
		}
		if err := json.MarshalEncode(e, member.node); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// A mapping without a key below it counts as an empty one.
var objectOrNothing = []string{"object", "null"}

// mapping is a struct of these specs.
func (m manual) mapping(specs []*spec) *schemaNode {
	n := &schemaNode{Type: objectOrNothing, AdditionalProperties: false}
	for _, s := range specs {
		n.Properties = append(n.Properties, schemaMember{s.key, m.field(s)})
		if s.file {
			n.Properties = append(n.Properties, schemaMember{s.key + "_file", &schemaNode{
				Type: "string", MinLength: 1,
				Description: "A file that holds " + s.key + ", such as a mounted secret. A relative path starts at the folder of jobs.yaml.",
			}})
		}
		switch {
		case s.need && s.file:
			n.AllOf = append(n.AllOf, &schemaNode{OneOf: []*schemaNode{{Required: []string{s.key}}, {Required: []string{s.key + "_file"}}}})
		case s.file:
			n.AllOf = append(n.AllOf, &schemaNode{Not: &schemaNode{Required: []string{s.key, s.key + "_file"}}})
		case s.need:
			n.Required = append(n.Required, s.key)
		}
	}
	if slices.ContainsFunc(specs, func(s *spec) bool { return s.need }) {
		n.Type = "object"
	}
	return n
}

// field is one key, with its description.
func (m manual) field(s *spec) *schemaNode {
	var n *schemaNode
	switch {
	case s.children != nil:
		n = m.mapping(s.children)
	case s.form == "job":
		n = &schemaNode{
			Type: "object", MinProperties: 1, PropertyNames: &schemaNode{Pattern: jobName.String()}, AdditionalProperties: m.mapping(jobSpec),
		}
	case s.typ == reflect.TypeFor[map[string]string]():
		n = &schemaNode{
			Type: objectOrNothing, PropertyNames: &schemaNode{Enum: operationNames()},
			AdditionalProperties: orReference(&schemaNode{Type: "string", Pattern: "^/"}),
		}
	case s.typ == reflect.TypeFor[map[string]map[string]string](): // by table and column
		n = &schemaNode{
			Type: objectOrNothing, PropertyNames: enum(append([]string{everyTable}, tableNames()...)),
			AdditionalProperties: &schemaNode{Type: objectOrNothing, AdditionalProperties: orReference(enum(s.allow))},
		}
	case s.typ.Kind() == reflect.Slice:
		n = &schemaNode{Type: "array", MinItems: 1, UniqueItems: true, Items: orReference(enum(s.allow))}
	default:
		n = scalarSchema(s)
	}
	n.Description = m[s.field]
	return n
}

func tableNames() []string {
	var names []string
	for _, t := range table.Tables() {
		names = append(names, t.Name)
	}
	return names
}

func operationNames() []any {
	var names []any
	for _, op := range finoos.Operations() {
		names = append(names, op.Name)
	}
	return names
}

// schemaReference is a text with a ${NAME} anywhere: it may stand for any scalar.
const schemaReference = `\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`

// orReference also accepts a text that refers to the environment.
func orReference(forms ...*schemaNode) *schemaNode {
	if len(forms) == 1 && forms[0].isAnyText() {
		return forms[0]
	}
	return &schemaNode{AnyOf: append(forms, &schemaNode{Type: "string", Pattern: schemaReference})}
}

func (n *schemaNode) isAnyText() bool { return n.Type == "string" && n.Pattern == "" }

// scalarSchema is a single value as it may be written.
func scalarSchema(s *spec) *schemaNode {
	forms := valueForms(s)
	if s.hasDefault && s.fallback == "" && !forms[0].isAnyText() {
		forms = append(forms, &schemaNode{Enum: []any{""}}) // means none, as does leaving it out
	}
	n := orReference(forms...)
	switch kind := s.typ.Kind(); {
	case s.fallback == "":
	case kind == reflect.Bool || kind == reflect.Int || kind == reflect.Float64:
		n.Default = jsontext.Value(s.fallback)
	default:
		n.Default = s.fallback
	}
	return n
}

// The forms of texts, loosely: what they cannot say, the loader says.
var formPatterns = map[string]string{
	"base_url": `^https?://`, "sink_url": `^(s3|file):`, "return_url": `^[A-Za-z][A-Za-z0-9+.-]*:`, "account": account.String(), "compression": compression.String(),
}

const (
	durationPattern = `^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`
	sizePattern     = `^[0-9]+ *(KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB|B)?$`
	addressPattern  = `^[0-9A-Fa-f:.]+$`
)

// valueForms are the ways to write a value without a reference.
func valueForms(s *spec) []*schemaNode {
	if s.allow != nil {
		return []*schemaNode{enum(s.allow)}
	}
	switch s.typ.Kind() {
	case reflect.Bool:
		return []*schemaNode{{Type: "boolean"}}
	case reflect.Float64:
		return []*schemaNode{{Type: "number", Minimum: bound(s.min), Maximum: bound(s.max)}}
	case reflect.Int:
		return []*schemaNode{{Type: "integer", Minimum: bound(s.min), Maximum: bound(s.max)}}
	case reflect.Int64:
		if s.typ == reflect.TypeFor[time.Duration]() {
			return []*schemaNode{{Type: "string", Pattern: durationPattern}}
		}
		return []*schemaNode{{Type: "string", Pattern: sizePattern}, {Type: "integer", Minimum: sizeBound(s.min), Maximum: sizeBound(s.max)}}
	case reflect.Struct: // an address
		return []*schemaNode{{Type: "string", Pattern: addressPattern}}
	default:
	}
	text := &schemaNode{Type: "string", Pattern: formPatterns[s.form]}
	if text.Pattern == "" && (s.need || s.fallback != "") {
		text.MinLength = 1
	}
	if s.form == "account" { // twelve digits read as a number without quotes
		return []*schemaNode{text, {Type: "integer", Minimum: bound("0")}}
	}
	return []*schemaNode{text}
}

// enum are the allowed words; one that reads as a number may be written as one.
func enum(words []string) *schemaNode {
	var values []any
	for _, w := range words {
		values = append(values, w)
	}
	for _, w := range words {
		if _, err := strconv.Atoi(w); err == nil {
			values = append(values, jsontext.Value(w))
		}
	}
	return &schemaNode{Enum: values}
}

// bound is a number as the tags have it; none where there is none.
func bound(text string) jsontext.Value {
	if text == "" {
		return nil
	}
	return jsontext.Value(text)
}

func sizeBound(text string) jsontext.Value {
	n, err := parseSize(text)
	if err != nil {
		return nil
	}
	return bound(strconv.FormatInt(n, 10))
}
