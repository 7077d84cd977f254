package setup

import (
	"errors"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/cli/setup/jsontext"
)

// entry is a JSON file with the entry of our server at a path. head is what a new file
// begins with.
func (s *Setup) entry(path string, comments bool, head map[string]any, want any, keys ...any) target {
	return target{
		path: path, what: whatServer, main: true, without: noServer,
		put: jsonPut(comments, func(d *jsontext.Doc) (string, error) {
			if _, ok := d.Root(); !ok {
				for key, value := range head {
					if err := d.Set(value, key); err != nil {
						return "", err
					}
				}
			}
			return "", s.putEntry(d, want, keys)
		}),
		take: jsonTake(comments, func(d *jsontext.Doc) error {
			if have, ok, err := d.Get(keys...); err != nil || !ok || !s.starts(have) {
				return shapeless(err)
			}
			return drop(d, keys...)
		}),
	}
}

// putEntry writes our server's entry. Of one that starts claudemesh already only the
// program is changed, since its arguments and variables are its user's.
func (s *Setup) putEntry(d *jsontext.Doc, want any, keys []any) error {
	have, ok, err := d.Get(keys...)
	if err != nil {
		return err
	}
	if !ok {
		return d.Set(want, keys...)
	}
	if !s.starts(have) {
		return d.Set(want, keys...)
	}
	_, inList := commandOf(have)
	at := slices.Concat(keys, []any{"command"})
	if inList {
		at = append(at, 0)
	}
	return d.Set(s.cfg.Program, at...)
}

// starts tells whether an entry starts our server; one that does not is of another, who
// has it back when ours is taken out.
func (s *Setup) starts(entry jsontext.Value) bool {
	words, _ := commandOf(entry)
	return len(words) >= 2 && s.ours(words[0].Text()) && words[1].Text() == "mcp"
}

// commandOf is the program of an entry and its arguments, and whether both are in one
// list.
func commandOf(entry jsontext.Value) (words []jsontext.Value, inList bool) {
	command, ok := entry.Member("command")
	if !ok {
		return nil, false
	}
	if words := command.Elements(); len(words) > 0 {
		return words, true
	}
	words = []jsontext.Value{command}
	if args, ok := entry.Member("args"); ok {
		words = append(words, args.Elements()...)
	}
	return words, false
}

// jsonPut makes a put of a change to a document. A list or text at the top is refused.
func jsonPut(comments bool, change func(*jsontext.Doc) (string, error)) func([]byte) ([]byte, string, error) {
	return func(old []byte) ([]byte, string, error) {
		d, err := parse(old, comments)
		if err != nil {
			return nil, "", err
		}
		note, err := change(d)
		return d.Bytes(), note, err
	}
}

// jsonTake makes a take of a change to a document.
func jsonTake(comments bool, change func(*jsontext.Doc) error) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		d, err := parse(old, comments)
		if err != nil {
			return nil, err
		}
		if err := change(d); err != nil {
			return nil, err
		}
		return d.Bytes(), nil
	}
}

func parse(text []byte, comments bool) (*jsontext.Doc, error) {
	d, err := jsontext.Parse(text, comments)
	if err != nil {
		return nil, err
	}
	if root, ok := d.Root(); ok && root.Kind() != jsontext.Object {
		return nil, fmt.Errorf("%w: there is no object in it", jsontext.ErrShape)
	}
	return d, nil
}

// drop removes what is at a path, and what held nothing else.
func drop(d *jsontext.Doc, path ...any) error {
	for n := len(path); n > 0; n-- {
		_, ok, err := d.Get(path[:n]...)
		if err != nil || !ok {
			return shapeless(err)
		}
		if _, err := d.Remove(path[:n]...); err != nil {
			return err
		}
		if n == 1 {
			return nil
		}
		if holder, _, err := d.Get(path[:n-1]...); err != nil || holder.Len() > 0 {
			return err
		}
	}
	return nil
}

// shapeless drops the error that something of another's stands where ours would be: then
// there is nothing to take out.
func shapeless(err error) error {
	if errors.Is(err, jsontext.ErrShape) {
		return nil
	}
	return err
}
