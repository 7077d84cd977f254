//go:build agents

package agents

import (
	"encoding/json"
	"testing"

	"github.com/claudemesh/claudemesh/test/agents/modelapi"
)

// prefix is what Claude Code puts before our tools' names.
const prefix = "mcp__claudemesh__"

// use is a call of one of our tools.
func use(tool, args string) modelapi.Call {
	return modelapi.Call{Name: prefix + tool, Input: json.RawMessage(args)}
}

// load loads the tools that Claude Code gives the model by name alone.
func load(tools ...string) modelapi.Call {
	query := "select:"
	for i, tool := range tools {
		if i > 0 {
			query += ","
		}
		query += prefix + tool
	}
	return modelapi.Call{Name: "ToolSearch", Input: map[string]any{"query": query, "max_results": len(tools)}}
}

// step is what the model does when it has these results of its calls so far.
type step func(results []modelapi.Result) modelapi.Reply

// calls is a step that calls tools.
func calls(list ...modelapi.Call) step {
	return func([]modelapi.Result) modelapi.Reply { return modelapi.Reply{Calls: list} }
}

// play is a model that does one step after the other, and then has done.
func play(steps ...step) modelapi.Model {
	return func(r modelapi.Request) modelapi.Reply {
		turn := 0
		for _, m := range r.Messages {
			if m.Role == "assistant" {
				turn++
			}
		}
		if len(r.Tools) == 0 || turn >= len(steps) {
			return modelapi.Say("done")
		}
		return steps[turn](r.Results())
	}
}

// silent is a model that has nothing to say.
func silent(modelapi.Request) modelapi.Reply { return modelapi.Say("ok") }

// of picks the results of one of our tools.
func of(tool string, results []modelapi.Result) []modelapi.Result {
	var out []modelapi.Result
	for _, r := range results {
		if r.Name == prefix+tool {
			out = append(out, r)
		}
	}
	return out
}

// decode reads what a tool's success told the model: its structured content.
func decode[T any](t *testing.T, r modelapi.Result) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(r.Text), &out); err != nil || r.IsError {
		t.Errorf("%s %s: error %v, the model got %q", r.Name, r.Input, r.IsError, shorten(r.Text))
	}
	return out
}
