package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Doc is a JSON text that is changed in place. It is not safe for concurrent use.
type Doc struct {
	src      []byte
	comments bool
	root     *node // nil: the text holds no value yet
}

// Parse reads a text. With comments, comments and a comma behind the last item are
// taken, as several agents do in their settings. A text without any value is an object
// that is not written yet.
func Parse(src []byte, comments bool) (*Doc, error) {
	root, err := scan(src, comments)
	if err != nil {
		return nil, err
	}
	return &Doc{src, comments, root}, nil
}

// Bytes is the text as it is now.
func (d *Doc) Bytes() []byte { return d.src }

// Root is the whole value, if there is one.
func (d *Doc) Root() (Value, bool) { return Value{d.src, d.root}, d.root != nil }

// Get finds the value at a path of keys (string) and indices (int). The error is
// ErrShape when something on the way cannot hold the next step.
func (d *Doc) Get(path ...any) (Value, bool, error) {
	n := d.root
	if n == nil {
		return Value{}, false, nil
	}
	for _, part := range path {
		i, err := step(n, part)
		if err != nil || i < 0 {
			return Value{}, false, err
		}
		n = n.items[i].value
	}
	return Value{d.src, n}, true, nil
}

// Set writes a value at a path, making the objects on the way. A value that means the
// same already is left as it is written. The last part of the path is a key or an
// index that exists.
func (d *Doc) Set(x any, path ...any) error {
	if v, ok, err := d.Get(path...); err != nil || ok && v.Equal(x) {
		return err
	} else if ok {
		return d.apply(edit{v.n.from, v.n.to, d.written(x, d.lineIndent(v.n.from), d.inline(v.n))})
	}
	return d.add(x, path, false)
}

// Append adds an element to the list at a path, making it and what is on the way.
func (d *Doc) Append(x any, path ...any) error {
	v, ok, err := d.Get(path...)
	switch {
	case err != nil:
		return err
	case !ok:
		return d.add(x, path, true)
	case v.n.kind != Array:
		return fmt.Errorf("%w: %v is no list", ErrShape, path)
	}
	return d.insert(v.n, "", x, len(path))
}

// add writes what does not exist yet: it goes down as far as there is something and
// puts the rest there, wrapped in new objects.
func (d *Doc) add(x any, path []any, inList bool) error {
	if inList {
		x = []any{x}
	}
	depth := 0
	n := d.root
	if n == nil {
		return d.begin(x, path)
	}
	for depth < len(path)-1 {
		i, err := step(n, path[depth])
		if err != nil {
			return err
		}
		if i < 0 {
			break
		}
		n = n.items[i].value
		depth++
	}
	if n.kind != Object {
		return fmt.Errorf("%w: %v is no object", ErrShape, path[:depth])
	}
	key, ok := path[depth].(string)
	if !ok {
		return fmt.Errorf("%w: there is no element %v", ErrShape, path[depth])
	}
	x, err := wrapped(x, path[depth+1:])
	if err != nil {
		return err
	}
	return d.insert(n, key, x, depth)
}

// wrapped puts x into objects.
func wrapped(x any, keys []any) (any, error) {
	for _, part := range slices.Backward(keys) {
		key, ok := part.(string)
		if !ok {
			return nil, fmt.Errorf("%w: there is no element %v", ErrShape, part)
		}
		x = map[string]any{key: x}
	}
	return x, nil
}

// begin writes the first value of a text.
func (d *Doc) begin(x any, path []any) error {
	x, err := wrapped(x, path)
	if err != nil {
		return err
	}
	head := d.src
	if len(bytes.TrimSpace(bytes.TrimPrefix(head, bom))) == 0 {
		head = head[:len(head)-len(bytes.TrimPrefix(head, bom))]
	} else if !bytes.HasSuffix(head, []byte("\n")) {
		head = append(slices.Clip(head), d.newline()...)
	}
	text := append(slices.Clip(head), d.written(x, "", false)...)
	return d.replace(append(text, d.newline()...))
}

// Remove takes out what is at a path, and tells whether there was something.
func (d *Doc) Remove(path ...any) (bool, error) {
	if _, ok, err := d.Get(path...); err != nil || !ok || len(path) == 0 {
		return false, err
	}
	holder, _, err := d.Get(path[:len(path)-1]...)
	if err != nil {
		return false, err
	}
	i, err := step(holder.n, path[len(path)-1])
	if err != nil {
		return false, err
	}
	return true, d.apply(d.without(holder.n, i)...)
}

// edit replaces src[from:to].
type edit struct {
	from, to int
	text     string
}

// without are the edits that take an item out: the item with the blanks in front of
// it, and the one comma too many. Comments stay.
func (d *Doc) without(n *node, i int) []edit {
	it := n.items[i]
	from, to := it.from, it.value.to
	for from > n.from+1 && isBlank(d.src[from-1]) {
		from--
	}
	var edits []edit
	switch {
	case it.comma >= 0 && len(bytes.TrimSpace(d.src[to:it.comma])) == 0:
		to = it.comma + 1
		for from == it.from && to < len(d.src) && d.src[to] == ' ' {
			to++ // in a line: the blank is of what is gone
		}
	case it.comma >= 0:
		edits = append(edits, edit{it.comma, it.comma + 1, ""})
	case i > 0 && n.items[i-1].comma+1 == from:
		from--
	case i > 0:
		edits = append(edits, edit{n.items[i-1].comma, n.items[i-1].comma + 1, ""})
	}
	if rest := bytes.TrimLeft(d.src[to:], " \t\r"); !bytes.HasPrefix(rest, []byte("\n")) {
		from = d.behindComment(n, i, from)
	}
	if len(n.items) == 1 && from == n.from+1 && len(bytes.TrimSpace(d.src[to:n.to-1])) == 0 {
		to = n.to - 1
	}
	return append(edits, edit{from, to, ""})
}

// behindComment is from, or, if a line comment ends there, what is behind its line end:
// what follows the item must not become part of the comment.
func (d *Doc) behindComment(n *node, i, from int) int {
	if !d.comments {
		return from
	}
	start := n.from + 1
	if i > 0 {
		start = n.items[i-1].value.to
	}
	s := &scanner{src: d.src[:from], at: start, comments: true}
	for s.at < from {
		if d.src[s.at] == ',' || isBlank(d.src[s.at]) {
			s.at++
			continue
		}
		line := bytes.HasPrefix(d.src[s.at:], []byte("//"))
		if s.blank() != nil {
			return from
		}
		if line && s.at == from {
			if end := bytes.IndexByte(d.src[from:], '\n'); end >= 0 {
				return from + end + 1
			}
		}
	}
	return from
}

// apply makes edits that do not overlap.
func (d *Doc) apply(edits ...edit) error {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	src := slices.Clone(d.src)
	for _, e := range slices.Backward(edits) {
		src = slices.Concat(src[:e.from], []byte(e.text), src[e.to:])
	}
	return d.replace(src)
}

// replace takes a new text, which must be as good as the old.
func (d *Doc) replace(src []byte) error {
	root, err := scan(src, d.comments)
	if err != nil {
		return fmt.Errorf("after the change: %w", err)
	}
	d.src, d.root = src, root
	return nil
}

// insert adds an item at the end of an object, or of a list (without a key).
func (d *Doc) insert(n *node, key string, x any, depth int) error {
	last := n.to - 1
	for last > n.from+1 && isBlank(d.src[last-1]) {
		last--
	}
	var edits []edit
	comma := "" // behind the new item, where there is one behind the last
	if len(n.items) > 0 {
		if it := n.items[len(n.items)-1]; it.comma < 0 {
			edits = append(edits, edit{it.value.to, it.value.to, ","})
		} else {
			comma = ","
		}
	}
	if d.inline(n) && !bytes.Contains(d.tail(n), []byte("//")) {
		gap := ""
		if len(n.items) > 0 {
			gap = d.gap()
		}
		return d.apply(append(edits, edit{last, last, gap + d.member(key, x, "", true) + comma})...)
	}
	outer := d.lineIndent(n.from)
	inner := outer + d.unit()
	if len(n.items) > 0 {
		inner = d.lineIndent(n.items[len(n.items)-1].from)
	}
	text := d.newline() + inner + d.member(key, x, inner, false) + comma
	if !bytes.Contains(d.src[last:n.to-1], []byte("\n")) {
		text += d.newline() + outer
		return d.apply(append(edits, edit{last, n.to - 1, text})...)
	}
	return d.apply(append(edits, edit{last, last, text})...)
}

// tail is what stands behind the last item.
func (d *Doc) tail(n *node) []byte {
	if len(n.items) == 0 {
		return nil
	}
	return d.src[n.items[len(n.items)-1].value.to : n.to-1]
}

// member is an item as it is written.
func (d *Doc) member(key string, x any, indent string, inline bool) string {
	value := d.written(x, indent, inline)
	if key == "" {
		return value
	}
	colon := ": "
	if inline && d.gap() == "" {
		colon = ":"
	}
	return d.encoded(key) + colon + value
}

// written is a value as text in the style of the document.
func (d *Doc) written(x any, indent string, inline bool) string {
	text := d.encoded(x)
	if inline {
		return text
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), indent, d.unit()) != nil {
		return text
	}
	return strings.ReplaceAll(b.String(), "\n", d.newline())
}

func (d *Doc) encoded(x any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(x) != nil {
		return "null"
	}
	return strings.TrimSuffix(b.String(), "\n")
}
