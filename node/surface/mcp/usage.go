package mcp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// usage tells in one line which arguments a tool takes. Clients may give the model
// no schema of a tool that it called by name.
func usage(in *jsonschema.Schema) string {
	var needed, others []string
	for _, name := range in.PropertyOrder {
		arg := name
		if what := form(in.Properties[name]); what != "" {
			arg += " (" + what + ")"
		}
		if slices.Contains(in.Required, name) {
			needed = append(needed, arg)
		} else {
			others = append(others, arg)
		}
	}
	var parts []string
	if len(needed) > 0 {
		parts = append(parts, "needed: "+strings.Join(needed, ", "))
	}
	if len(others) > 0 {
		parts = append(parts, "optional: "+strings.Join(others, ", "))
	}
	if len(parts) == 0 {
		return "it takes no arguments"
	}
	return "arguments " + strings.Join(parts, "; ")
}

// form says what kind of value s is: its type, or its choices.
func form(s *jsonschema.Schema) string {
	var choices []string
	switch {
	case s == nil:
	case len(s.Enum) > 0:
		for _, v := range s.Enum {
			choices = append(choices, fmt.Sprint(v))
		}
	case len(s.OneOf) > 0:
		for _, one := range s.OneOf {
			choices = append(choices, form(one))
		}
	case s.Type == "array":
		return strings.TrimSpace("array of " + form(s.Items))
	default:
		return s.Type
	}
	return strings.Join(choices, " or ")
}
