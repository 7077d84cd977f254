package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// Value is a value in a [Doc] as it was when asked for.
type Value struct {
	src []byte
	n   *node
}

// Kind tells what it is.
func (v Value) Kind() Kind { return v.n.kind }

// Text is a string's value; "" for anything else.
func (v Value) Text() string {
	s, _ := v.plain().(string)
	return s
}

// Elements are those of an array.
func (v Value) Elements() []Value {
	var out []Value
	if v.n.kind == Array {
		for _, i := range v.n.items {
			out = append(out, Value{v.src, i.value})
		}
	}
	return out
}

// Member finds an object's member; of several under one key the last, which counts.
func (v Value) Member(key string) (Value, bool) {
	if v.n.kind != Object {
		return Value{}, false
	}
	i := find(v.n, key)
	if i < 0 {
		return Value{}, false
	}
	return Value{v.src, v.n.items[i].value}, true
}

// Len counts an object's members or an array's elements.
func (v Value) Len() int { return len(v.n.items) }

// Equal tells whether it means the same as what x is encoded as.
func (v Value) Equal(x any) bool {
	text, err := json.Marshal(x)
	if err != nil {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var want any
	return dec.Decode(&want) == nil && reflect.DeepEqual(v.plain(), want)
}

// plain is the value as encoding/json gives it, with numbers as json.Number.
func (v Value) plain() any {
	switch v.n.kind {
	case Object:
		out := make(map[string]any, len(v.n.items))
		for _, i := range v.n.items {
			out[i.key] = Value{v.src, i.value}.plain()
		}
		return out
	case Array:
		out := make([]any, 0, len(v.n.items))
		for _, i := range v.n.items {
			out = append(out, Value{v.src, i.value}.plain())
		}
		return out
	case Number:
		return json.Number(v.src[v.n.from:v.n.to])
	}
	var out any
	if json.Unmarshal(v.src[v.n.from:v.n.to], &out) != nil {
		return nil
	}
	return out
}

// find is the index of the last member with a key, or -1.
func find(n *node, key string) int {
	for i := len(n.items) - 1; i >= 0; i-- {
		if n.items[i].key == key {
			return i
		}
	}
	return -1
}

// step goes down one step of a path: a string names a member, an int an element.
func step(n *node, part any) (index int, err error) {
	switch p := part.(type) {
	case string:
		if n.kind != Object {
			return -1, fmt.Errorf("%w: %q is wanted in something that is no object", ErrShape, p)
		}
		return find(n, p), nil
	case int:
		if n.kind != Array {
			return -1, fmt.Errorf("%w: an element is wanted of something that is no list", ErrShape)
		}
		if p < 0 || p >= len(n.items) {
			return -1, nil
		}
		return p, nil
	}
	return -1, fmt.Errorf("%w: a path of %T", ErrShape, part)
}

// MarshalJSON writes the value anew, as compact JSON without comments.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.plain()) }

// Keys are those of an object's members, each once, in order.
func (v Value) Keys() []string {
	var out []string
	if v.n.kind == Object {
		for _, i := range v.n.items {
			if !slices.Contains(out, i.key) {
				out = append(out, i.key)
			}
		}
	}
	return out
}
