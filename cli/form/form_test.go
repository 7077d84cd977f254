package form_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/pflag"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/cli/form"
)

// request is a schema with a property of each kind.
func request() *jsonschema.Schema {
	texts := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}}
	return &jsonschema.Schema{
		Type: "object", Required: []string{"key", "value", "how"},
		PropertyOrder: []string{"mesh_slug", "key", "value", "how", "when_due", "sure", "many", "part", "tags", "rule"},
		Properties: map[string]*jsonschema.Schema{
			"mesh_slug": {Type: "string"},
			"key":       {Type: "string"},
			"value":     {AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "object"}}},
			"how":       {Type: "string", Enum: []any{"now", "later"}},
			"when_due":  {Type: "string", Description: "a time"},
			"sure":      {Type: "boolean"},
			"many":      {Type: "integer"},
			"part":      {Type: "number"},
			"tags":      {OneOf: []*jsonschema.Schema{{Type: "string"}, texts}},
			"rule":      {Type: "object"},
		},
	}
}

func typed(t *testing.T, s *jsonschema.Schema, line ...string) (string, error) {
	t.Helper()
	f, err := form.New(s, "mesh_slug")
	if err != nil {
		t.Fatal(err)
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.Flags(set)
	if err := set.Parse(line); err != nil {
		t.Fatal(err)
	}
	out, err := f.Request(set, set.Args())
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(out)
	return string(raw), err
}

func TestRequests(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"k 7 now", `{"how":"now","key":"k","value":7}`},
		{"7 text later", `{"how":"later","key":"7","value":"text"}`},
		{`k {"a":1} now --when-due soon --sure --many -3 --part .5`, `{"how":"now","key":"k","many":-3,"part":0.5,"sure":true,"value":{"a":1},"when_due":"soon"}`},
		{`k v now --tags a,b --tags c --rule {} --sure=false --when-due=`, `{"how":"now","key":"k","rule":{},"sure":false,"tags":["a","b","c"],"value":"v","when_due":""}`},
	} {
		if got, err := typed(t, request(), strings.Fields(c.line)...); err != nil || got != c.want {
			t.Errorf("%s:\n%s, %v", c.line, got, err)
		}
	}
	for line, want := range map[string]string{
		"k v soon":                `<now|later> "soon" is none of now, later`,
		"k v now --rule x":        `--rule "x" is no JSON`,
		"k v now --part NaN":      `--part "NaN" is no number`,
		"k v now --rule {\"a\":}": `is no JSON`,
	} {
		_, err := typed(t, request(), strings.Fields(line)...)
		var wrong *form.ValueError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestUsage(t *testing.T) {
	f, err := form.New(request(), "mesh_slug")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Usage(); got != " <key> <value> <now|later>" {
		t.Errorf("%q", got)
	}
	if least, most := f.Words(); least != 3 || most != 3 {
		t.Errorf("%d to %d words", least, most)
	}
	s := request()
	s.Required = []string{"key", "tags", "sure"}
	s.PropertyOrder = []string{"key", "sure", "tags"}
	if f, err = form.New(s); err != nil || f.Usage() != " <key> <true|false> <tags…>" {
		t.Errorf("%q, %v", f.Usage(), err)
	}
	if least, most := f.Words(); least != 3 || most != -1 {
		t.Errorf("%d to %d words", least, most)
	}
	if got, err := typed(t, s, "k", "true", "a", "b,c"); err != nil || got != `{"key":"k","sure":true,"tags":["a","b","c"]}` {
		t.Errorf("%s, %v", got, err)
	}
	s.PropertyOrder = append(s.PropertyOrder, "unknown")
	if _, err := form.New(s); !errors.Is(err, form.ErrShape) {
		t.Errorf("a property without a schema: %v", err)
	}
}

// Whatever is typed for a text arrives as it was typed.
func TestTextsStayAsTheyAre(t *testing.T) {
	s := &jsonschema.Schema{
		Required: []string{"word"}, PropertyOrder: []string{"word", "flag"},
		Properties: map[string]*jsonschema.Schema{"word": {Type: "string"}, "flag": {Type: "string"}},
	}
	rapid.Check(t, func(r *rapid.T) {
		word, flag := rapid.String().Draw(r, "word"), rapid.String().Draw(r, "flag")
		got, err := typed(t, s, "--flag="+flag, "--", word)
		var back map[string]string
		if err != nil || json.Unmarshal([]byte(got), &back) != nil || back["word"] != word || back["flag"] != flag {
			r.Fatalf("%q, %q became %s, %v", word, flag, got, err)
		}
	})
}
