package op

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schemer is a type with a schema of its own: an enumeration, or a value that may
// be a string or a list. All traps of derived schemas end here.
type Schemer interface{ JSONSchema() *jsonschema.Schema }

// schemaOf derives the schema of T.
func schemaOf[T any]() (*jsonschema.Schema, error) { return SchemaOf(reflect.TypeFor[T]()) }

// SchemaOf derives the schema of a type. Slices are never null, raw JSON is any value,
// a Schemer speaks for itself.
func SchemaOf(t reflect.Type) (*jsonschema.Schema, error) {
	own := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[json.RawMessage](): anyValue(),
	}
	collect(t, own, map[reflect.Type]bool{})
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: own})
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", t, err)
	}
	neverNull(s)
	return s, nil
}

// kinds are the types of JSON values.
func kinds() []string { return []string{"string", "number", "boolean", "object", "array", "null"} }

// anyValue is the schema of any JSON value. It names the types, as an empty schema
// is written as `true`, which some clients refuse, and with it the whole tool.
func anyValue() *jsonschema.Schema {
	s := &jsonschema.Schema{}
	for _, t := range kinds() {
		s.AnyOf = append(s.AnyOf, &jsonschema.Schema{Type: t})
	}
	return s
}

// collect finds the Schemers below t.
func collect(t reflect.Type, own map[reflect.Type]*jsonschema.Schema, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	if s, ok := reflect.Zero(t).Interface().(Schemer); ok {
		own[t] = s.JSONSchema()
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		collect(t.Elem(), own, seen)
	case reflect.Struct:
		for f := range fields(t) {
			collect(f, own, seen)
		}
	}
}

// fields yields the types of the exported and embedded fields of t.
func fields(t reflect.Type) func(func(reflect.Type) bool) {
	return func(yield func(reflect.Type) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && !yield(f.Type) {
				return
			}
		}
	}
}

// neverNull removes "or null", which the derivation adds to slices and pointers:
// an absent value is left out instead.
func neverNull(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if i := slices.Index(s.Types, "null"); i >= 0 {
		s.Types = slices.Delete(slices.Clone(s.Types), i, i+1)
		if len(s.Types) == 1 {
			s.Type, s.Types = s.Types[0], nil
		}
	}
	for _, p := range s.Properties {
		neverNull(p)
	}
	neverNull(s.Items)
	neverNull(s.AdditionalProperties)
}

// validator returns the check of raw requests of one operation. The schema is
// derived at the first call and kept.
func validator[In any](id string) func(raw json.RawMessage, into *In) error {
	resolve := sync.OnceValues(func() (*jsonschema.Resolved, error) {
		s, err := schemaOf[In]()
		if err != nil {
			return nil, err
		}
		return s.Resolve(nil)
	})
	return func(raw json.RawMessage, into *In) error {
		schema, err := resolve()
		if err != nil {
			return err
		}
		if len(raw) == 0 {
			raw = json.RawMessage("{}")
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return Errorf(Invalid, "%s: the request is no JSON: %w", id, err)
		}
		if missing := absent(schema.Schema(), value); len(missing) > 0 {
			return Errorf(Invalid, "%s: %s required", id, strings.Join(missing, ", "))
		}
		if err := schema.Validate(value); err != nil {
			return Errorf(Invalid, "%s: %s", id, plain(err))
		}
		if err := decodeStrict(raw, into); err != nil {
			return Errorf(Invalid, "%s: %w", id, err)
		}
		return nil
	}
}

// absent names the required properties that are missing or empty text. Where any
// JSON value is allowed, null and empty text are values like others.
func absent(s *jsonschema.Schema, value any) []string {
	obj, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	var out []string
	for _, name := range s.Required {
		v, has := obj[name]
		if p := s.Properties[name]; !has || (v == "" || v == nil) && !anything(p) {
			out = append(out, "`"+name+"`")
		}
	}
	return out
}

// anything tells whether a property's schema takes every value.
func anything(p *jsonschema.Schema) bool {
	return p != nil && len(p.AnyOf) == len(kinds())
}

// plain puts the validator's words into ones for people: it drops the path through
// the schema and says what a value may be where several forms are allowed.
func plain(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "validating "); i >= 0 {
		text = text[i+len("validating "):]
	}
	text = strings.TrimPrefix(text, "root: ")
	path, rest, ok := strings.Cut(strings.TrimPrefix(text, "/properties/"), ": ")
	if !ok || path == text {
		return text
	}
	field := "`" + strings.ReplaceAll(strings.ReplaceAll(path, "/properties/", "."), "/items", "[]") + "`"
	if strings.HasPrefix(rest, "oneOf: ") {
		return field + " has none of the forms it may have"
	}
	return field + ": " + strings.TrimPrefix(rest, "type: ")
}
