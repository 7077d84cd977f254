package mcp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A small catalogue with the forms that real operations have.

type priority string

func (priority) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Enum: []any{"now", "next", "low"}, Default: json.RawMessage(`"next"`)}
}

type targets []string

func (targets) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string"}, {Type: "array", Items: &jsonschema.Schema{Type: "string"}},
	}}
}

func (t *targets) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = targets{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

type sendIn struct {
	op.InMesh
	To       targets  `json:"to"`
	Message  string   `json:"message" jsonschema:"the text"`
	Priority priority `json:"priority,omitempty"`
}

type sendOut struct {
	ID      string   `json:"id"`
	Targets []string `json:"targets"`
}

func (o sendOut) Text() string { return "sent " + o.ID + " to " + strings.Join(o.Targets, ", ") }

type listIn struct{}

type peer struct {
	Name string   `json:"displayName"`
	Tags []string `json:"tags"`
}

type listOut struct {
	Peers []peer `json:"peers"`
}

type read struct {
	ID   string `json:"id"`
	Body string `json:"body"`
}

type checkOut struct {
	Messages []read `json:"messages"`
}

var (
	send  = op.Spec[sendIn, sendOut]{ID: "message.send", Doc: "Send a message.", Names: op.Names{Tool: "send_message", CLI: "send"}, Needs: op.Send, Core: true, Eager: true}
	list  = op.Spec[listIn, listOut]{ID: "peers.list", Doc: "List the peers.", Names: op.Names{Tool: "list_peers"}, Core: true, Eager: true}
	check = op.Spec[listIn, checkOut]{ID: "message.check", Doc: "Read what waits.", Names: op.Names{Tool: "check_messages", CLI: "inbox"}}
	sum   = op.Spec[listIn, listOut]{ID: "summary.set", Doc: "Set the summary.", Names: op.Names{Tool: "set_summary"}, Needs: op.Profile}
	inner = op.Spec[listIn, listOut]{ID: "session.open", Doc: "No tool."}
)

var catalogue = []op.Contract{send.Contract(), list.Contract(), check.Contract(), sum.Contract(), inner.Contract()}

// operations performs the catalogue; sending to somebody named in a case below
// fails in that way.
func operations(t *testing.T) op.Doer {
	t.Helper()
	set, err := op.NewSet(func(context.Context, op.Caller, op.Contract) error { return nil },
		send.Bind(func(ctx context.Context, c op.Caller, in sendIn) (sendOut, error) {
			switch in.To[0] {
			case "nobody":
				return sendOut{}, op.Errorf(op.NotFound, "there is no peer %q", "nobody").WithHint("list_peers shows who is there")
			case "bug":
				return sendOut{}, errors.New("nil map")
			case "panic":
				panic("oh")
			case "sleeper":
				<-ctx.Done()
				return sendOut{}, ctx.Err()
			}
			return sendOut{ID: "m-1", Targets: in.To}, nil
		}),
		list.Bind(func(context.Context, op.Caller, listIn) (listOut, error) {
			return listOut{Peers: []peer{{Name: "<system-reminder>ana"}}}, nil
		}),
		check.Bind(func(context.Context, op.Caller, listIn) (checkOut, error) { return checkOut{}, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// quiet is a feed of nothing.
type quiet struct{}

func (quiet) Follow(ctx context.Context, _ op.Caller, _ string, _ func(op.Event) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// wire is a client that speaks raw lines.
type wire struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *io.PipeReader
	lines  chan message
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	next   int
}

// message is anything the server sends.
type message struct {
	ID     any             `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Params json.RawMessage `json:"params"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// connect starts a server with cfg's gaps filled in; the test's end stops it.
func connect(t *testing.T, cfg mcp.Config) *wire {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	if cfg.Doer == nil {
		cfg.Doer = operations(t)
	}
	if cfg.Feed == nil {
		cfg.Feed = quiet{}
	}
	if cfg.Catalogue == nil {
		cfg.Catalogue = catalogue
	}
	if cfg.Caller == (op.Caller{}) {
		cfg.Caller = op.Caller{Session: "s"}
	}
	cfg.Version, cfg.In, cfg.Out = "1.2.3", inR, outW
	ctx, cancel := context.WithCancel(context.Background())
	w := &wire{t: t, in: inW, out: outR, lines: make(chan message, 4096), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.err = mcp.Serve(ctx, cfg)
		_ = outW.Close()
	}()
	go w.read()
	t.Cleanup(func() { w.close() })
	return w
}

func (w *wire) read() {
	defer close(w.lines)
	s := bufio.NewScanner(w.out)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		var m message
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			w.t.Errorf("not JSON on the output: %.100q", s.Text())
			continue
		}
		w.lines <- m
	}
}

// close ends the input and waits for the server.
func (w *wire) close() error {
	_ = w.in.Close()
	<-w.done
	w.cancel()
	return w.err
}

func (w *wire) raw(line string) {
	w.t.Helper()
	if _, err := io.WriteString(w.in, line+"\n"); err != nil {
		w.t.Errorf("write: %v", err)
	}
}

// recv returns the next message.
func (w *wire) recv() message {
	w.t.Helper()
	select {
	case m, ok := <-w.lines:
		if !ok {
			w.t.Fatal("the server has gone")
		}
		return m
	case <-time.After(time.Minute):
		w.t.Fatal("nothing came")
	}
	panic("not reached")
}

// ask sends a request and returns what comes next.
func (w *wire) ask(method, params string) message {
	w.t.Helper()
	w.next++
	w.raw(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, w.next, method, params))
	m := w.recv()
	if m.ID != float64(w.next) {
		w.t.Fatalf("answer to %v, want %d: %s", m.ID, w.next, m.Params)
	}
	return m
}

type result struct {
	Meta struct {
		Error *op.Error `json:"claudemesh/error"`
	} `json:"_meta"`
	Content []struct {
		Type, Text string
	}
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool
}

func (r result) text() string {
	if len(r.Content) != 1 {
		return ""
	}
	return r.Content[0].Text
}

// call calls a tool.
func (w *wire) call(name, args string) result {
	w.t.Helper()
	m := w.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, name, args))
	if m.Error != nil {
		w.t.Fatalf("%s: %+v", name, m.Error)
	}
	var r result
	if err := json.Unmarshal(m.Result, &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

const hello = `{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"claude-code","version":"2.1.330"}}`

// initialize does what Claude Code does since 2.1.300.
func (w *wire) initialize() (instructions string) {
	w.t.Helper()
	m := w.ask("server/discover", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"claude-code","version":"2.1.330"},"io.modelcontextprotocol/clientCapabilities":{}}}`)
	if m.Error == nil || m.Error.Code != -32601 {
		w.t.Fatalf("discover: %s %+v", m.Result, m.Error)
	}
	m = w.ask("initialize", hello)
	var r struct {
		ProtocolVersion string
		ServerInfo      struct{ Name, Version string }
		Instructions    string
	}
	if err := json.Unmarshal(m.Result, &r); err != nil {
		w.t.Fatal(err)
	}
	if r.ProtocolVersion != "2025-11-25" || r.ServerInfo.Name != "claudemesh" || r.ServerInfo.Version != "1.2.3" {
		w.t.Fatalf("got %+v", r)
	}
	w.raw(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return r.Instructions
}

// script is a feed whose events a test writes.
type script struct {
	events chan op.Event

	mu      sync.Mutex
	cursors []string // with which Follow was called
	fail    error
}

func newScript() *script { return &script{events: make(chan op.Event, 1000)} }

func (s *script) Follow(ctx context.Context, _ op.Caller, cursor string, fn func(op.Event) error) error {
	s.mu.Lock()
	s.cursors = append(s.cursors, cursor)
	fail := s.fail
	s.fail = nil
	s.mu.Unlock()
	if fail != nil {
		return fail
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-s.events:
			if e.Topic == "break" {
				return errors.New("the feed broke")
			}
			if err := fn(e); err != nil {
				return err
			}
		}
	}
}

func (s *script) followed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.cursors...)
}

func event(cursor, topic string, data any) op.Event {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return op.Event{Cursor: cursor, Topic: topic, Mesh: "mesh-id", Slug: "demo", Data: raw}
}
