package modelapi

import (
	"encoding/json"
	"fmt"
	"io"
)

// Model answers a request. It is called for one request at a time per connection,
// so several may run beside each other.
type Model func(Request) Reply

// Reply is what the model says: text, then calls of tools. With calls the client
// goes on when it has their results, without any its turn is over.
type Reply struct {
	Text  string
	Calls []Call
}

// Call is a call of a tool. Input is encoded as JSON; a json.RawMessage goes as it is.
type Call struct {
	Name  string
	Input any
}

// Say is a reply of text alone.
func Say(text string) Reply { return Reply{Text: text} }

// Use is a reply that calls one tool.
func Use(name string, input any) Reply { return Reply{Calls: []Call{{name, input}}} }

// blocks are the reply's content; n makes the ids of calls unique.
func (r Reply) blocks(n int) ([]Block, error) {
	var out []Block
	if r.Text != "" || len(r.Calls) == 0 {
		out = append(out, Block{Type: "text", Text: r.Text})
	}
	for i, c := range r.Calls {
		input, err := json.Marshal(c.Input)
		if err != nil {
			return nil, fmt.Errorf("input of %s: %w", c.Name, err)
		}
		out = append(out, Block{Type: "tool_use", ID: fmt.Sprintf("toolu_%04d_%02d", n, i), Name: c.Name, Input: input})
	}
	return out, nil
}

func (r Reply) stop() string {
	if len(r.Calls) > 0 {
		return "tool_use"
	}
	return "end_turn"
}

type object map[string]any

// envelope is the message around the blocks.
func envelope(n int, model string, blocks []any, stop any) object {
	return object{
		"id": fmt.Sprintf("msg_%04d", n), "type": "message", "role": "assistant", "model": model,
		"content": blocks, "stop_reason": stop, "stop_sequence": nil,
		"usage": object{"input_tokens": 1, "output_tokens": 1},
	}
}

// whole is the answer to a client that does not stream.
func whole(n int, model string, r Reply, blocks []Block) object {
	content := make([]any, 0, len(blocks))
	for _, b := range blocks {
		content = append(content, b)
	}
	return envelope(n, model, content, r.stop())
}

// stream writes the answer as server-sent events.
func stream(w io.Writer, n int, model string, r Reply, blocks []Block) error {
	events := []object{{"type": "message_start", "message": envelope(n, model, []any{}, nil)}}
	for i, b := range blocks {
		start, delta := object{"type": "text", "text": ""}, object{"type": "text_delta", "text": b.Text}
		if b.Type == "tool_use" {
			start = object{"type": "tool_use", "id": b.ID, "name": b.Name, "input": object{}}
			delta = object{"type": "input_json_delta", "partial_json": string(b.Input)}
		}
		events = append(events,
			object{"type": "content_block_start", "index": i, "content_block": start},
			object{"type": "content_block_delta", "index": i, "delta": delta},
			object{"type": "content_block_stop", "index": i})
	}
	events = append(events,
		object{"type": "message_delta", "delta": object{"stop_reason": r.stop(), "stop_sequence": nil}, "usage": object{"output_tokens": 1}},
		object{"type": "message_stop"})
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e["type"], data); err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
	}
	return nil
}
