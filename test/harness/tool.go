package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// asRPC is errors.As for the one type, so that callers read well.
func asRPC(err error, into **RPCError) bool { return errors.As(err, into) }

// ToolResult is the result of a tool as it came.
type ToolResult struct {
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content"`
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool            `json:"isError"`
	// Meta is what programs may read of a failure.
	Meta struct {
		Failure *Failure `json:"claudemesh/error"`
	} `json:"_meta"`
}

// Failure is why a call of a tool failed.
type Failure struct{ Code, Message, Hint string }

// Text joins the texts.
func (r ToolResult) Text() string {
	parts := make([]string, 0, len(r.Content))
	for _, c := range r.Content {
		parts = append(parts, c.Text)
	}
	return strings.Join(parts, "\n")
}

// CallTool calls a tool. An error result is a result, not an error.
func (a *Agent) CallTool(ctx context.Context, name string, args any) (ToolResult, error) {
	if args == nil {
		args = struct{}{}
	}
	raw, err := a.rpc.call(ctx, "tools/call", map[string]any{"name": name, "arguments": args})
	if err != nil {
		return ToolResult{}, fmt.Errorf("tool %s: %w", name, err)
	}
	var r ToolResult
	if err := json.Unmarshal(raw, &r); err != nil {
		return ToolResult{}, fmt.Errorf("tool %s: %w", name, err)
	}
	return r, nil
}

// Tool calls a tool and decodes its structured content. An error result is a
// *ToolError.
func Tool[Out any](ctx context.Context, a *Agent, name string, args any) (Out, error) {
	var out Out
	r, err := a.CallTool(ctx, name, args)
	if err != nil {
		return out, err
	}
	if r.IsError {
		return out, &ToolError{Tool: name, Text: r.Text()}
	}
	if err := json.Unmarshal(r.Structured, &out); err != nil {
		return out, fmt.Errorf("tool %s: structured content: %w", name, err)
	}
	return out, nil
}
