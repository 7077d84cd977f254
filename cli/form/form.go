package form

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/pflag"
)

// Form is a request as a command takes it, for one command line.
type Form struct {
	words []field
	flags []field
}

// New reads the schema of a request. The properties in skip are left to the caller.
func New(s *jsonschema.Schema, skip ...string) (*Form, error) {
	f := &Form{}
	for _, name := range s.PropertyOrder {
		if slices.Contains(skip, name) {
			continue
		}
		p := s.Properties[name]
		if p == nil {
			return nil, fmt.Errorf("%w: %s has no schema", ErrShape, name)
		}
		one := newField(name, p)
		if slices.Contains(s.Required, name) {
			f.words = append(f.words, one)
		} else {
			f.flags = append(f.flags, one)
		}
	}
	return f, nil
}

// Usage is how the words are typed, with a blank before each.
func (f *Form) Usage() string {
	var b strings.Builder
	for i, w := range f.words {
		b.WriteString(" " + w.placeholder(i == len(f.words)-1))
	}
	return b.String()
}

// Words is how many words there must and may be; most is -1 for any number.
func (f *Form) Words() (least, most int) {
	n := len(f.words)
	if n > 0 && f.words[n-1].kind == several {
		return n, -1
	}
	return n, n
}

// Flags adds a flag for each property that may be left out.
func (f *Form) Flags(set *pflag.FlagSet) {
	for _, one := range f.flags {
		one.add(set)
	}
}

// Allowed are the values that a flag can have, where they are given.
func (f *Form) Allowed() map[string][]string {
	out := map[string][]string{}
	for _, one := range f.flags {
		if len(one.allowed) > 0 {
			out[one.flag()] = one.allowed
		}
	}
	return out
}

// Request is what was typed: the words, of which there are as many as Words says, and
// the flags of set that were given. A value that cannot be meant is a *ValueError.
func (f *Form) Request(set *pflag.FlagSet, words []string) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for i, w := range f.words {
		typed := []string{words[i]}
		if i == len(f.words)-1 && w.kind == several {
			typed = words[i:]
		}
		raw, err := w.encode(w.placeholder(false), typed)
		if err != nil {
			return nil, err
		}
		out[w.name] = raw
	}
	for _, one := range f.flags {
		flag := set.Lookup(one.flag())
		if flag == nil || !flag.Changed {
			continue
		}
		typed := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			typed = list.GetSlice()
		}
		raw, err := one.encode("--"+one.flag(), typed)
		if err != nil {
			return nil, err
		}
		out[one.name] = raw
	}
	return out, nil
}
