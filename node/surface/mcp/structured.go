package mcp

import (
	"bytes"
	"encoding/json"

	"github.com/google/jsonschema-go/jsonschema"
)

// structured prepares an encoded answer for the model: its texts are made neutral,
// and a null where the schema wants a list or an object becomes an empty one. A
// client refuses a whole result that does not fit its schema, and the empty list of
// a Go program is null as often as not.
func structured(answer json.RawMessage, schema *jsonschema.Schema) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.UseNumber() // numbers stay as they were written
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return mend(v, schema), nil
}

// mend walks v along its schema.
func mend(v any, s *jsonschema.Schema) any {
	if s == nil {
		s = &jsonschema.Schema{}
	}
	switch v := v.(type) {
	case nil:
		switch s.Type {
		case "array":
			return []any{}
		case "object":
			return map[string]any{}
		}
	case string:
		return neutral(v)
	case []any:
		for i := range v {
			v[i] = mend(v[i], s.Items)
		}
	case map[string]any:
		for key := range v {
			of := s.Properties[key]
			if of == nil {
				of = s.AdditionalProperties
			}
			v[key] = mend(v[key], of)
		}
	}
	return v
}
