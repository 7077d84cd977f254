package form

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/pflag"
)

// kind is how a value is typed.
type kind int

const (
	text    kind = iota // as it is
	toggle              // true or false
	whole               // a number without a fraction
	number              // any number
	several             // texts separated by commas
	loose               // JSON, or else a text
	strict              // JSON and nothing else
)

// field is a property of a request.
type field struct {
	name    string // in JSON
	doc     string
	kind    kind
	allowed []string
}

func newField(name string, s *jsonschema.Schema) field {
	f := field{name: name, doc: s.Description, kind: kindOf(s)}
	for _, v := range s.Enum {
		f.allowed = append(f.allowed, fmt.Sprint(v))
	}
	return f
}

func kindOf(s *jsonschema.Schema) kind {
	forms := slices.Concat(s.OneOf, s.AnyOf)
	texts := func(s *jsonschema.Schema) bool {
		return s.Type == "array" && s.Items != nil && s.Items.Type == "string"
	}
	switch {
	case texts(s) || slices.ContainsFunc(forms, texts):
		return several
	case s.Type == "string":
		return text
	case s.Type == "boolean":
		return toggle
	case s.Type == "integer":
		return whole
	case s.Type == "number":
		return number
	case slices.ContainsFunc(forms, func(s *jsonschema.Schema) bool { return s.Type == "string" }):
		return loose
	}
	return strict
}

// flag is the property as a flag, without its dashes.
func (f field) flag() string { return strings.ReplaceAll(f.name, "_", "-") }

// placeholder is how a word is shown; the last one may stand for several.
func (f field) placeholder(last bool) string {
	inner := f.flag()
	switch {
	case len(f.allowed) > 0:
		inner = strings.Join(f.allowed, "|")
	case f.kind == toggle:
		inner = "true|false"
	}
	if last && f.kind == several {
		inner += "…"
	}
	return "<" + inner + ">"
}

func (f field) add(set *pflag.FlagSet) {
	doc := f.doc
	if len(f.allowed) > 0 && !strings.Contains(doc, f.allowed[0]) {
		doc = strings.TrimPrefix(doc+": "+strings.Join(f.allowed, ", "), ": ")
	}
	switch f.kind {
	case toggle:
		set.Bool(f.flag(), false, doc)
	case whole:
		set.Int(f.flag(), 0, doc)
	case number:
		set.Float64(f.flag(), 0, doc)
	case several:
		set.StringSlice(f.flag(), nil, doc)
	default:
		set.String(f.flag(), "", doc)
	}
}

// encode makes JSON of what was typed for name.
func (f field) encode(name string, typed []string) (json.RawMessage, error) {
	if f.kind == several {
		return json.Marshal(split(typed))
	}
	word := typed[0]
	wrong := func(want string) (json.RawMessage, error) {
		return nil, &ValueError{Name: name, Value: word, Allowed: f.allowed, Want: want}
	}
	switch f.kind {
	case toggle:
		on, err := strconv.ParseBool(word)
		if err != nil {
			return wrong("true or false")
		}
		return json.Marshal(on)
	case whole:
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return wrong("whole number")
		}
		return json.Marshal(n)
	case number:
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return wrong("number")
		}
		raw, err := json.Marshal(n)
		if err != nil { // infinite, or no number at all
			return wrong("number")
		}
		return raw, nil
	case loose, strict:
		if json.Valid([]byte(word)) {
			return json.RawMessage(word), nil
		}
		if f.kind == strict {
			return wrong("JSON")
		}
	}
	if len(f.allowed) > 0 && !slices.Contains(f.allowed, word) {
		return wrong("")
	}
	return json.Marshal(word)
}

// split separates at commas; what is empty is left out.
func split(typed []string) []string {
	out := []string{}
	for _, t := range typed {
		for one := range strings.SplitSeq(t, ",") {
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return out
}
