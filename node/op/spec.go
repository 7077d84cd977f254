package op

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// MaxRequest is the largest encoded request or response of an operation, in bytes.
const MaxRequest = 1 << 20

// Names is what surfaces call an operation. An empty name means that surface does
// not offer it.
type Names struct {
	// Tool is the MCP tool.
	Tool string
	// CLI is the command with its arguments, as in `send <to> <message…>`.
	CLI string
}

// Spec is the contract of one operation, complete. In and Out are structs whose
// JSON names and `jsonschema` tags make the schemas.
type Spec[In, Out any] struct {
	// ID is FAMILY.VERB, unique for ever.
	ID string
	// Doc is help: the first line explains the operation alone, as clients that
	// load tools lazily show nothing else.
	Doc string
	// Names are the surface names.
	Names Names
	// Needs is the right a caller must hold. Empty means Look.
	Needs Right
	// Place says where it runs.
	Place Place
	// Destroys says that what was before is gone and does not simply come back.
	Destroys bool
	// Core marks the tools of the small tier: messaging, presence and state.
	Core bool
	// Eager marks the handful of tools whose schema a client should send its model
	// from the start, while it finds the others by search.
	Eager bool
}

// Texter is a response that reads well as plain text. Every surface that talks to
// people or models uses it, so that text and JSON show the same facts.
type Texter interface{ Text() string }

// Teller is a Texter whose lines can be said in another language.
type Teller interface {
	Texter
	Lines() []Phrase
}

// TextOf is the English text of a Teller's lines.
func TextOf(lines []Phrase) string {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.text
	}
	return strings.Join(texts, "\n")
}

// Reporter is a response of which the node must hear that it was written to whoever
// asked: only then does it count as seen. The surface performs the operation it
// names, after the response has left; an empty id means that there is nothing to
// report.
type Reporter interface {
	Report() (id string, request any)
}

// Looker is a request of an operation that may change something, which can also ask
// to be shown what is, or what would happen, and nothing else.
type Looker interface {
	// Looks tells that this request changes nothing.
	Looks() bool
}

// Contract is a Spec without its types.
type Contract struct {
	ID       string
	Doc      string
	Names    Names
	Needs    Right
	Place    Place
	Destroys bool
	Core     bool
	Eager    bool

	// Input and Output derive the schemas; each call derives anew, since most
	// commands never need one.
	Input  func() (*jsonschema.Schema, error)
	Output func() (*jsonschema.Schema, error)
	// Text renders an encoded response for people.
	Text func(json.RawMessage) (string, error)
	// Looks tells that an encoded request changes nothing: because the operation needs
	// no right beyond reading, or by the request's own word (see Looker).
	Looks func(json.RawMessage) bool
	// Report names the operation to perform once the encoded response was written,
	// and its request; an empty id means none.
	Report func(json.RawMessage) (id string, request json.RawMessage, err error)
}

// Op is a bound operation.
type Op struct {
	Contract
	do func(ctx context.Context, c Caller, in json.RawMessage) (json.RawMessage, error)
}

// Doer performs operations. A [Set] is one, and so is the client of the local API,
// which ignores the caller: the server at the other end finds out who asks.
type Doer interface {
	Do(ctx context.Context, c Caller, id string, in json.RawMessage) (json.RawMessage, error)
}

// Contract describes the operation to surfaces.
func (s Spec[In, Out]) Contract() Contract {
	needs := s.Needs
	if needs == "" {
		needs = Look
	}
	return Contract{
		ID: s.ID, Doc: s.Doc, Names: s.Names, Needs: needs, Place: s.Place, Destroys: s.Destroys, Core: s.Core, Eager: s.Eager,
		Looks:  looksOf[In](needs),
		Input:  schemaOf[In],
		Output: schemaOf[Out],
		Text:   textOf[Out],
		Report: reportOf[Out],
	}
}

// Bind gives the operation its performer.
func (s Spec[In, Out]) Bind(perform func(context.Context, Caller, In) (Out, error)) Op {
	check := validator[In](s.ID)
	do := func(ctx context.Context, c Caller, raw json.RawMessage) (json.RawMessage, error) {
		var in In
		if err := check(raw, &in); err != nil {
			return nil, err
		}
		out, err := perform(ctx, c, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
	return Op{Contract: s.Contract(), do: do}
}

// Call asks d for the operation: a typed client for free.
func (s Spec[In, Out]) Call(ctx context.Context, d Doer, c Caller, in In) (Out, error) {
	var out Out
	raw, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("%s: encode request: %w", s.ID, err)
	}
	answer, err := d.Do(ctx, c, s.ID, raw)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("%s: decode response: %w", s.ID, err)
	}
	return out, nil
}

// textOf renders a response: its own text, or indented JSON.
func textOf[Out any](raw json.RawMessage) (string, error) {
	var out Out
	if err := json.Unmarshal(raw, &out); err != nil {
		return "", fmt.Errorf("decode response: %w", err)
	}
	if t, ok := any(out).(Texter); ok {
		return t.Text(), nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return "", fmt.Errorf("indent response: %w", err)
	}
	return b.String(), nil
}

// looksOf asks a request whether it changes anything.
func looksOf[In any](needs Right) func(json.RawMessage) bool {
	return func(raw json.RawMessage) bool {
		if needs.Reads() {
			return true
		}
		var in In
		l, can := any(&in).(Looker)
		return can && json.Unmarshal(raw, &in) == nil && l.Looks()
	}
}

// reportOf asks a response what is to be reported.
func reportOf[Out any](raw json.RawMessage) (string, json.RawMessage, error) {
	var out Out
	if _, ok := any(out).(Reporter); !ok {
		return "", nil, nil
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return "", nil, fmt.Errorf("decode response: %w", err)
	}
	id, request := any(out).(Reporter).Report()
	if id == "" {
		return "", nil, nil
	}
	in, err := json.Marshal(request)
	return id, in, err
}

// decodeStrict refuses unknown fields and anything after the value.
func decodeStrict(raw json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the request")
	}
	return nil
}
