package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/claudemesh/claudemesh/node/op"
)

// trait is what a tool does to the world where its contract does not say it: by
// default one that needs no more than op.Look changes nothing, one that needs more
// changes something, and neither reaches beyond the mesh.
type trait struct {
	writes     bool // changes something although it needs no right
	idempotent bool // a second call like the first changes nothing more
	openWorld  bool // it acts on others
	large      bool // a cut result would lose something
}

// traits are the tools that differ from the default.
var traits = map[string]trait{
	"check_messages": {writes: true, large: true},
	"send_message":   {openWorld: true},
	"set_summary":    {idempotent: true},
	"set_status":     {idempotent: true},
	"set_visible":    {idempotent: true},
	"set_profile":    {idempotent: true},
	"join_group":     {idempotent: true},
	"leave_group":    {idempotent: true},
	"set_state":      {idempotent: true},
	"list_state":     {large: true},
	"get_state":      {large: true},
}

// Keys of a tool's and a result's _meta.
const (
	alwaysLoad = "anthropic/alwaysLoad"         // the client gives the model the whole tool from the start
	maxResult  = "anthropic/maxResultSizeChars" // the client cuts results above this
	errorKey   = "claudemesh/error"             // the code, message and hint of a failed call
)

// largest is the size in characters up to which a client may pass results whole.
const largest = 500_000

// tools are the operations offered to the client.
type tools struct {
	cfg    Config
	open   *opening
	served []server.ServerTool
	// withheld are the tools that the tier leaves out, and their commands.
	withheld map[string]string
	names    map[string]bool
}

func newTools(cfg Config, open *opening) (*tools, error) {
	t := &tools{cfg: cfg, open: open, withheld: make(map[string]string), names: make(map[string]bool)}
	for _, k := range cfg.Catalogue {
		if k.Names.Tool == "" {
			continue
		}
		if !cfg.Tools.has(k) {
			t.withheld[k.Names.Tool] = command(k)
			continue
		}
		def, in, out, err := define(k)
		if err != nil {
			return nil, err
		}
		t.names[def.Name] = true
		t.served = append(t.served, server.ServerTool{Tool: def, Handler: t.handler(k, in, out)})
	}
	return t, nil
}

func (t *tools) has(name string) bool { return t.names[name] }

// absent answers a call of a tool that is not served.
func (t *tools) absent(name string) *mcp.CallToolResult {
	instead, known := t.withheld[name]
	if !known {
		return mcp.NewToolResultError("Unknown tool: " + oneLine(name, 100))
	}
	return mcp.NewToolResultError(fmt.Sprintf("%s: not among the tools of this session (--tools %s)\nrun `claudemesh %s` in a shell instead",
		name, t.cfg.Tools, instead))
}

// define describes the tool of k, and the schemas of its arguments and results.
func define(k op.Contract) (tool mcp.Tool, in, out *jsonschema.Schema, err error) {
	if in, err = k.Input(); err != nil {
		return tool, nil, nil, err
	}
	if out, err = k.Output(); err != nil {
		return tool, nil, nil, err
	}
	input, err := encodeSchema(in)
	if err != nil {
		return tool, nil, nil, fmt.Errorf("input of %s: %w", k.ID, err)
	}
	output, err := encodeSchema(out)
	if err != nil {
		return tool, nil, nil, fmt.Errorf("output of %s: %w", k.ID, err)
	}
	what := traits[k.Names.Tool]
	writes := what.writes || !k.Needs.Reads()
	tool = mcp.Tool{
		Name: k.Names.Tool, Description: k.Doc, RawInputSchema: input, RawOutputSchema: output,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    mcp.ToBoolPtr(!writes),
			DestructiveHint: mcp.ToBoolPtr(k.Destroys),
			IdempotentHint:  mcp.ToBoolPtr(!writes || what.idempotent),
			OpenWorldHint:   mcp.ToBoolPtr(what.openWorld),
		},
	}
	meta := make(map[string]any)
	if k.Eager {
		meta[alwaysLoad] = true
	}
	if what.large {
		meta[maxResult] = largest
	}
	if len(meta) > 0 {
		tool.Meta = mcp.NewMetaFromMap(meta)
	}
	return tool, in, out, nil
}

// encodeSchema writes s; some clients want properties even where there are none.
func encodeSchema(s *jsonschema.Schema) (json.RawMessage, error) {
	raw, err := json.Marshal(s)
	if err != nil || s.Properties != nil {
		return raw, err
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	m["properties"] = map[string]any{}
	return json.Marshal(m)
}

// handler performs calls of the tool of k.
func (t *tools) handler(k op.Contract, in, out *jsonschema.Schema) server.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ctx, cancel := context.WithTimeout(ctx, t.cfg.CallTimeout)
		defer cancel()
		answer, err := t.perform(ctx, k.ID, req.Params)
		if err != nil {
			return failed(k, in, t.cfg.CallTimeout, err), nil
		}
		if err := noteReport(ctx, k, answer); err != nil {
			return nil, err
		}
		return succeeded(k, out, answer)
	}
}

// perform asks for the operation once the session is open.
func (t *tools) perform(ctx context.Context, id string, p mcp.CallToolParams) (json.RawMessage, error) {
	if err := t.open.now(ctx); err != nil {
		e := *op.AsError(err)
		e.Message = "not connected: " + e.Message
		return nil, &e
	}
	in := p.RawArguments
	if len(in) == 0 || string(in) == "null" {
		in = json.RawMessage("{}")
	}
	return t.cfg.Doer.Do(ctx, t.cfg.Caller, id, in)
}

// succeeded shows an answer as text and as data.
func succeeded(k op.Contract, schema *jsonschema.Schema, answer json.RawMessage) (*mcp.CallToolResult, error) {
	text, err := k.Text(answer)
	if err != nil {
		return nil, fmt.Errorf("show the answer: %w", err)
	}
	data, err := structured(answer, schema)
	if err != nil {
		return nil, fmt.Errorf("show the answer: %w", err)
	}
	return mcp.NewToolResultStructured(data, neutral(text)), nil
}

// failed shows an error: what is wrong, and on a second line what to do, which
// after wrong arguments is by default to give right ones.
func failed(k op.Contract, in *jsonschema.Schema, limit time.Duration, err error) *mcp.CallToolResult {
	e := *op.AsError(err)
	e.Message = strings.TrimPrefix(e.Message, k.ID+": ")
	if errors.Is(err, context.DeadlineExceeded) {
		e = *op.Errorf(op.Unavailable, "timed out after %v", limit).WithHint("it may have been done: look before you repeat it")
	}
	if e.Code == op.Invalid && e.Hint == "" {
		e.Hint = usage(in)
	}
	e.Message, e.Hint = neutral(e.Message), neutral(e.Hint)
	e.Said, e.SaidHint = nil, nil // agents read English
	text := k.Names.Tool + ": " + e.Message
	if e.Hint != "" {
		text += "\n" + e.Hint
	}
	result := mcp.NewToolResultError(text)
	result.Meta = mcp.NewMetaFromMap(map[string]any{errorKey: &e})
	return result
}
