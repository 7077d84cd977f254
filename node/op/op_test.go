package op_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node/op"
)

type level string

func (level) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Enum: []any{"now", "next", "low"}}
}

type scope struct {
	Mesh string `json:"mesh_slug,omitempty" jsonschema:"the mesh"`
}

type greetIn struct {
	scope
	Name  string          `json:"name" jsonschema:"whom to greet"`
	Level level           `json:"level,omitempty"`
	Tags  []string        `json:"tags,omitempty"`
	Any   json.RawMessage `json:"any,omitempty"`
}

type greetOut struct {
	Greeting string `json:"greeting"`
}

func (o greetOut) Text() string { return o.Greeting + "!" }

func greet() op.Spec[greetIn, greetOut] {
	return op.Spec[greetIn, greetOut]{ID: "test.greet", Doc: "Greet somebody.", Names: op.Names{Tool: "greet"}}
}

func newSet(t *testing.T, guard op.Guard) *op.Set {
	t.Helper()
	hello := greet().Bind(func(_ context.Context, c op.Caller, in greetIn) (greetOut, error) {
		return greetOut{Greeting: "hello " + in.Name}, nil
	})
	s, err := op.NewSet(guard, hello)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func allow(context.Context, op.Caller, op.Contract) error { return nil }

func TestTypedCallThroughASet(t *testing.T) {
	out, err := greet().Call(t.Context(), newSet(t, allow), op.Caller{User: true}, greetIn{Name: "ana"})
	if err != nil || out.Greeting != "hello ana" {
		t.Fatalf("got %+v, %v", out, err)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	s := newSet(t, allow)
	for name, c := range map[string]struct{ in, want string }{
		"missing":       {`{}`, "`name` required"},
		"empty":         {`{"name":""}`, "`name` required"},
		"wrong type":    {`{"name":7}`, "`name`: 7 has type"},
		"unknown field": {`{"name":"a","nmae":"b"}`, "nmae"},
		"wrong enum":    {`{"name":"a","level":"urgent"}`, "enum"},
		"null slice":    {`{"name":"a","tags":null}`, "tags"},
		"no object":     {`[1]`, "object"},
		"no JSON":       {`{"name":`, "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Do(t.Context(), op.Caller{User: true}, "test.greet", json.RawMessage(c.in))
			if op.CodeOf(err) != op.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAnyJSONIsAnyValue(t *testing.T) {
	s := newSet(t, allow)
	for _, v := range []string{`1`, `"x"`, `{"a":[1]}`} {
		in := json.RawMessage(`{"name":"a","any":` + v + `,"mesh_slug":"m","level":"now"}`)
		if _, err := s.Do(t.Context(), op.Caller{User: true}, "test.greet", in); err != nil {
			t.Errorf("%s: %v", v, err)
		}
	}
}

func TestWhoMayAskWhat(t *testing.T) {
	s := newSet(t, allow)
	in := json.RawMessage(`{"name":"a"}`)
	if _, err := s.Do(t.Context(), op.Caller{Member: "aa", Mesh: "m"}, "test.greet", in); op.CodeOf(err) != op.NotFound {
		t.Errorf("a remote caller reached a local operation: %v", err)
	}
	if _, err := s.Do(t.Context(), op.Caller{User: true}, "test.gone", in); op.CodeOf(err) != op.NotFound {
		t.Errorf("unknown operation: %v", err)
	}
	shut := newSet(t, func(context.Context, op.Caller, op.Contract) error { return op.Errorf(op.Denied, "no") })
	if _, err := shut.Do(t.Context(), op.Caller{User: true}, "test.greet", in); op.CodeOf(err) != op.Denied {
		t.Errorf("the guard was not asked: %v", err)
	}
	if _, err := s.Do(t.Context(), op.Caller{User: true}, "test.greet", make([]byte, op.MaxRequest+1)); op.CodeOf(err) != op.TooLarge {
		t.Errorf("size: %v", err)
	}
}

func TestTwoOperationsUnderOneNameAreRefused(t *testing.T) {
	o := greet().Bind(func(context.Context, op.Caller, greetIn) (greetOut, error) { return greetOut{}, nil })
	if _, err := op.NewSet(allow, o, o); err == nil {
		t.Fatal("accepted")
	}
}

func TestContractText(t *testing.T) {
	text, err := greet().Contract().Text(json.RawMessage(`{"greeting":"hi"}`))
	if err != nil || text != "hi!" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestErrorsKeepCodeHintAndCause(t *testing.T) {
	cause := errors.New("disk is full")
	err := error(op.Errorf(op.Unavailable, "not stored: %w", cause).WithHint("free some space"))
	if op.CodeOf(err) != op.Unavailable || !errors.Is(err, cause) || op.AsError(err).Hint == "" {
		t.Fatalf("%#v", err)
	}
	if got := op.CodeOf(context.DeadlineExceeded); got != op.Unavailable {
		t.Errorf("deadline: %s", got)
	}
	if got := op.AsError(cause); got.Code != op.Internal || got.Message != "disk is full" {
		t.Errorf("plain: %+v", got)
	}
}
