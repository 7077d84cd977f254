package mcp

import (
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

func TestUsage(t *testing.T) {
	text := &jsonschema.Schema{Type: "string"}
	for want, in := range map[string]*jsonschema.Schema{
		"it takes no arguments":             {Type: "object"},
		"arguments optional: mesh (string)": {PropertyOrder: []string{"mesh"}, Properties: map[string]*jsonschema.Schema{"mesh": text}},
		"arguments needed: id (string), to (string or array of string); optional: how (a or b), any": {
			PropertyOrder: []string{"id", "how", "any", "to"},
			Required:      []string{"id", "to"},
			Properties: map[string]*jsonschema.Schema{
				"id": text, "any": {}, "how": {Type: "string", Enum: []any{"a", "b"}},
				"to": {OneOf: []*jsonschema.Schema{text, {Type: "array", Items: text}}},
			},
		},
	} {
		if got := usage(in); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
