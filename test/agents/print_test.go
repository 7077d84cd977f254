//go:build agents

package agents

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Claude Code without a terminal, with a model that calls each tool: what reaches
// the model is looked at in the requests to it.
func TestClaudeCallsEveryTool(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	w := newWorld(ctx, t)
	other := agent(ctx, t, w.bo, "bo's")
	letter, err := harness.Tool[message.SendResponse](ctx, other, "send_message",
		map[string]any{"to": anaName, "message": "read me when you like", "priority": "low"})
	must(t, err)
	awaitDelivered(ctx, t, other, letter.ID)

	c := newClaude(ctx, t, w.ana, play(
		calls(load("message_status", "mesh_info")),
		calls(use("set_summary", `{"summary":"testing tools"}`), use("list_peers", `{}`), use("mesh_info", `{}`),
			use("check_messages", `{}`), use("send_message", `{"to":"bo","message":"hello from claude"}`)),
		func(results []modelapi.Result) modelapi.Reply {
			sent := decode[message.SendResponse](t, of("send_message", results)[0])
			return modelapi.Use(prefix+"message_status", map[string]string{"id": sent.ID})
		},
	))
	out := c.run(ctx, "-p", "use the mesh", "--allowedTools", "mcp__claudemesh")
	t.Logf("took %v", out.Took)
	if out.Status != 0 || strings.TrimSpace(out.Stdout) != "done" {
		t.Fatalf("status %d: %s%s", out.Status, shorten(out.Stdout), shorten(out.Stderr))
	}
	results := lastResults(t, c.api)
	if len(results) != 7 {
		t.Fatalf("the model got %d results: %+v", len(results), results)
	}
	if got := decode[presence.SummaryResponse](t, of("set_summary", results)[0]); got.Summary != "testing tools" {
		t.Errorf("set_summary: %+v", got)
	}
	if got := decode[presence.PeersResponse](t, of("list_peers", results)[0]); len(got.Meshes) != 1 || len(got.Meshes[0].Peers) != 2 {
		t.Errorf("list_peers: %+v", got)
	}
	if got := decode[overview.InfoResponse](t, of("mesh_info", results)[0]); got.Slug != meshName || got.Name != anaName || len(got.Members) != 2 {
		t.Errorf("mesh_info: %+v", got)
	}
	if got := decode[message.CheckResponse](t, of("check_messages", results)[0]); len(got.Messages) != 1 || got.Messages[0].ID != letter.ID ||
		got.Messages[0].Body != "read me when you like" {
		t.Errorf("check_messages: %+v", got)
	}
	sent := decode[message.SendResponse](t, of("send_message", results)[0])
	if got := decode[message.StatusResponse](t, of("message_status", results)[0]); got.ID != sent.ID || len(got.Recipients) != 1 {
		t.Errorf("message_status: %+v", got)
	}
	heard, err := other.AwaitMessage(ctx, sent.ID)
	must(t, err)
	if heard.Content != "ana: hello from claude" {
		t.Errorf("bo got %q", heard.Content)
	}
}

func TestClaudeIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	w := newWorld(ctx, t)
	agent(ctx, t, w.bo, "bo's")
	var wrong []modelapi.Call
	for _, m := range mistakes {
		wrong = append(wrong, use(m.tool, m.args))
	}
	c := newClaude(ctx, t, w.ana, play(calls(load("message_status", "mesh_info")), calls(wrong...)))
	out := c.run(ctx, "-p", "make mistakes", "--allowedTools", "mcp__claudemesh")
	t.Logf("took %v", out.Took)
	if out.Status != 0 {
		t.Fatalf("status %d: %s%s", out.Status, shorten(out.Stdout), shorten(out.Stderr))
	}
	results := lastResults(t, c.api)[1:]
	if len(results) != len(mistakes) {
		t.Fatalf("the model got %d results", len(results))
	}
	for _, m := range mistakes {
		// They come in the order in which the calls ended.
		i := slices.IndexFunc(results, func(r modelapi.Result) bool {
			return r.Name == prefix+m.tool && sameJSON(string(r.Input), m.args)
		})
		if i < 0 || !results[i].IsError {
			t.Errorf("%s %s: no failure among %+v", m.tool, m.args, results)
			continue
		}
		checkFailure(t, m.tool, m.args, results[i].Text, m.why)
	}
}

// lastResults are what the model had of its tools in the end.
func lastResults(t *testing.T, api *modelapi.Server) []modelapi.Result {
	t.Helper()
	var last []modelapi.Result
	for _, r := range api.Requests() {
		if got := r.Results(); len(got) > len(last) {
			last = got
		}
	}
	if len(last) == 0 {
		t.Fatalf("the model got no results in %d requests", len(api.Requests()))
	}
	return last
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	one, err := json.Marshal(x)
	two, err2 := json.Marshal(y)
	return err == nil && err2 == nil && string(one) == string(two)
}
