package jsontext_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/setup/jsontext"
)

// What is put in and taken out again leaves the bytes as they were.
func TestSetAndRemove(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty object", "{}", "{\n  \"m\": {\n    \"c\": 1\n  }\n}"},
		{"usual", "{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"m\": {\n    \"c\": 1\n  }\n}\n"},
		{"tabs", "{\n\t\"a\": 1\n}", "{\n\t\"a\": 1,\n\t\"m\": {\n\t\t\"c\": 1\n\t}\n}"},
		{"crlf", "{\r\n    \"a\": 1\r\n}\r\n", "{\r\n    \"a\": 1,\r\n    \"m\": {\r\n        \"c\": 1\r\n    }\r\n}\r\n"},
		{"one line", `{"a":1}`, `{"a":1,"m":{"c":1}}`},
		{"one line with blanks", `{ "a": 1 }`, `{ "a": 1, "m": {"c":1} }`},
		{"byte order mark", "\ufeff{\n  \"a\": 1\n}", "\ufeff{\n  \"a\": 1,\n  \"m\": {\n    \"c\": 1\n  }\n}"},
		{"in what is there", "{\n  \"m\": {\n    \"x\": []\n  },\n  \"z\": 0\n}", "{\n  \"m\": {\n    \"x\": [],\n    \"c\": 1\n  },\n  \"z\": 0\n}"},
		{"twice the same key", `{"m":{"x":1},"m":{"y":2}}`, `{"m":{"x":1},"m":{"y":2,"c":1}}`},
		{"comments", "{\n  \"a\": 1 // one\n}", "{\n  \"a\": 1, // one\n  \"m\": {\n    \"c\": 1\n  }\n}"},
		{"comma at the end", "{\n  \"a\": 1, // one\n  /* two */\n}", "{\n  \"a\": 1, // one\n  /* two */\n  \"m\": {\n    \"c\": 1\n  },\n}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := parse(t, tt.in)
			_, had, err := d.Get("m")
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Set(1, "m", "c"); err != nil {
				t.Fatal(err)
			}
			if got := string(d.Bytes()); got != tt.want {
				t.Errorf("set:\n%q, not\n%q", got, tt.want)
			}
			path := []any{"m"}
			if had {
				path = append(path, "c")
			}
			if ok, err := d.Remove(path...); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if got := string(d.Bytes()); got != tt.in {
				t.Errorf("removed:\n%q, not\n%q", got, tt.in)
			}
		})
	}
}

func parse(t *testing.T, text string) *jsontext.Doc {
	t.Helper()
	d, err := jsontext.Parse([]byte(text), true)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRemoveKeepsTheRest(t *testing.T) {
	tests := []struct {
		name, in string
		path     []any
		want     string
	}{
		{"first", `{"a":1, "b":2}`, []any{"a"}, `{"b":2}`},
		{"middle", "[1,\n 2,\n 3]", []any{1}, "[1,\n 3]"},
		{"last", "[1,\n 2\n]", []any{1}, "[1\n]"},
		{"its comment stays", "{\n  \"a\": 1,\n  // of b\n  \"b\": 2\n}", []any{"b"}, "{\n  \"a\": 1\n  // of b\n}"},
		{"nothing there", `{"a":1}`, []any{"b"}, `{"a":1}`},
		{"alone", "{\n  \"a\": [1]\n}", []any{"a"}, "{}"},
		{"a comment before its comma", `[1, 2 /* two */, 3]`, []any{1}, `[1, /* two */ 3]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := parse(t, tt.in)
			_, err := d.Remove(tt.path...)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(d.Bytes()); got != tt.want {
				t.Errorf("%q, not %q", got, tt.want)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	for in, want := range map[string]string{
		`{"p":{"allow":["x"]}}`:                    `{"p":{"allow":["x","y"]}}`,
		"{\n  \"p\": {\n    \"allow\": []\n  }\n}": "{\n  \"p\": {\n    \"allow\": [\n      \"y\"\n    ]\n  }\n}",
		"":               "{\n  \"p\": {\n    \"allow\": [\n      \"y\"\n    ]\n  }\n}\n",
		"// nothing yet": "// nothing yet\n{\n  \"p\": {\n    \"allow\": [\n      \"y\"\n    ]\n  }\n}\n",
	} {
		d := parse(t, in)
		if err := d.Append("y", "p", "allow"); err != nil {
			t.Fatal(err)
		}
		if got := string(d.Bytes()); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

func TestSetLeavesWhatMeansTheSame(t *testing.T) {
	const in = `{"s": {"command" : "c\u006caudemesh", "args":[ "mcp" ]} }`
	d := parse(t, in)
	if err := d.Set(map[string]any{"command": "claudemesh", "args": []string{"mcp"}}, "s"); err != nil {
		t.Fatal(err)
	}
	if got := string(d.Bytes()); got != in {
		t.Errorf("%q", got)
	}
	if err := d.Set("x", "s", "command"); err != nil {
		t.Fatal(err)
	}
	if got := string(d.Bytes()); got != `{"s": {"command" : "x", "args":[ "mcp" ]} }` {
		t.Errorf("%q", got)
	}
}

func TestRefused(t *testing.T) {
	for _, in := range []string{`{`, `{"a":}`, `{"a":1,}`, `[1] 2`, `{"a":01}`, "{\"a\":\"\n\"}", `{'a':1}`, `{"a":1} // no`, `{"a":"\x"}`, `nul`, `-`} {
		if _, err := jsontext.Parse([]byte(in), false); !errors.Is(err, jsontext.ErrSyntax) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := jsontext.Parse([]byte(strings.Repeat("[", 1e6)), false); !errors.Is(err, jsontext.ErrSyntax) {
		t.Errorf("deep: %v", err)
	}
	for _, in := range []string{`[]`, `{"m":[]}`, `{"m":null}`, `"x"`, `{"m":{"c":1}}`} {
		d := parse(t, in)
		if err := d.Set(1, "m", "c", "d"); !errors.Is(err, jsontext.ErrShape) {
			t.Errorf("%s: %v", in, err)
		}
		if string(d.Bytes()) != in {
			t.Errorf("%s changed", in)
		}
	}
}

// Whatever the text: what is read is what encoding/json reads, and putting a value in
// and taking it out keeps all others.
func FuzzEdit(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":1}`, "{\r\n\t\"a\": [1, {\"b\": null}],\r\n}", "{ /* c */ }", "[1]", "\ufeff{\"a\":{}}", "{\"a\":1 // x\n}", `{"a":1,"a":2}`, "{\"k\":1}", "{ // x\n}", `{"a":2/**/,/**/"k":{}/**/,}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, strict := jsontext.Parse([]byte(text), false)
		bare := strings.TrimPrefix(text, "\ufeff")
		if valid := json.Valid([]byte(bare)) || strings.Trim(bare, " \t\r\n") == ""; valid != (strict == nil) {
			t.Fatalf("valid %v, got %v", valid, strict)
		}
		d, err := jsontext.Parse([]byte(text), true)
		if err != nil {
			return
		}
		before := members(t, d)
		if _, had := before["k"]; before == nil || had {
			return
		}
		if err := d.Set(map[string]any{"x": []int{1}}, "k"); err != nil {
			t.Fatal(err)
		}
		after := members(t, d)
		if after["k"] != `{"x":[1]}` {
			t.Fatalf("k is %q", after["k"])
		}
		delete(after, "k")
		same(t, before, after)
		if err := d.Append(2, "k", "x"); err != nil {
			t.Fatal(err)
		}
		if ok, err := d.Remove("k"); !ok || err != nil {
			t.Fatal(ok, err)
		}
		same(t, before, members(t, d))
	})
}

// members are the members of the root, encoded; nil if it is no object.
func members(t *testing.T, d *jsontext.Doc) map[string]string {
	t.Helper()
	out := map[string]string{}
	v, ok := d.Root()
	if !ok {
		return out
	}
	var all map[string]json.RawMessage
	raw, err := json.Marshal(v)
	if err != nil || v.Kind() != jsontext.Object {
		return nil
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range all {
		out[k] = string(v)
	}
	return out
}

func same(t *testing.T, a, b map[string]string) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%v, then %v", a, b)
	}
	for k, v := range a {
		if b[k] != v {
			t.Fatalf("%q: %q, then %q", k, v, b[k])
		}
	}
}
