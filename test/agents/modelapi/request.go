package modelapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Request is one request for a message.
type Request struct {
	// At is when it arrived.
	At time.Time `json:"-"`

	Model    string    `json:"model"`
	Stream   bool      `json:"stream"`
	System   Content   `json:"system"`
	Tools    []Tool    `json:"tools"`
	Messages []Message `json:"messages"`
}

// Tool is a tool offered to the model.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// Message is one turn of the conversation.
type Message struct {
	Role    string  `json:"role"`
	Content Content `json:"content"`
}

// Content is a list of blocks; the API also takes a string, which is one of text.
type Content []Block

// Block is a part of a message: text, tool_use or tool_result.
type Block struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"`
	// ID, Name and Input are those of a tool_use.
	ID    string          `json:"id,omitempty"`
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	// ToolUseID, Content and IsError are those of a tool_result.
	ToolUseID string  `json:"tool_use_id,omitempty"`
	Content   Content `json:"content,omitempty"`
	IsError   bool    `json:"is_error,omitempty"`
}

// UnmarshalJSON reads either form.
func (c *Content) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*c = Content{{Type: "text", Text: text}}
		return nil
	}
	var blocks []Block
	if err := json.Unmarshal(b, &blocks); err != nil {
		return fmt.Errorf("content is neither text nor blocks: %w", err)
	}
	*c = blocks
	return nil
}

// Text joins the texts, line by line, those in results of tools included.
func (c Content) Text() string {
	var parts []string
	for _, b := range c {
		if b.Type == "text" {
			parts = append(parts, b.Text)
		}
		if len(b.Content) > 0 {
			parts = append(parts, b.Content.Text())
		}
	}
	return strings.Join(parts, "\n")
}

// Result is what became of a call of a tool.
type Result struct {
	Name    string // of the tool
	Input   json.RawMessage
	Text    string
	IsError bool
}

// Results are the results of all tools so far, in order.
func (r Request) Results() []Result {
	calls := map[string]Block{}
	var out []Result
	for _, m := range r.Messages {
		for _, b := range m.Content {
			switch b.Type {
			case "tool_use":
				calls[b.ID] = b
			case "tool_result":
				call := calls[b.ToolUseID]
				out = append(out, Result{Name: call.Name, Input: call.Input, Text: b.Content.Text(), IsError: b.IsError})
			}
		}
	}
	return out
}

// Last is the last turn of the user, into which clients also put results of tools
// and channel messages.
func (r Request) Last() Content {
	for _, m := range slices.Backward(r.Messages) {
		if m.Role == "user" {
			return m.Content
		}
	}
	return nil
}

// User is all that came from the user's side, turn by turn.
func (r Request) User() string {
	var parts []string
	for _, m := range r.Messages {
		if m.Role == "user" {
			parts = append(parts, m.Content.Text())
		}
	}
	return strings.Join(parts, "\n")
}

// Offers tells whether a tool is offered to the model.
func (r Request) Offers(tool string) bool {
	return slices.ContainsFunc(r.Tools, func(t Tool) bool { return t.Name == tool })
}
