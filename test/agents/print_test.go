//go:build agents

package agents

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/test/agents/modelapi"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Claude Code without a terminal, with a model that calls each tool: what reaches
// the model is looked at in the requests to it.
func TestClaudeCallsEveryTool(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	other := agent(ctx, t, w.bo, "bo's")
	// What passes by is shown to those who are there already.
	_, err := other.Await(ctx, 0, func(n harness.Channel) bool { return n.Kind() == "welcome" })
	must(t, err)
	letter, err := harness.Tool[message.SendResponse](ctx, other, "send_message",
		map[string]any{"to": anaName, "message": "read me when you like", "priority": "low"})
	must(t, err)
	awaitDelivered(ctx, t, other, letter.ID)

	c := newClaude(ctx, t, w.ana, play(
		calls(load(lazy()...)),
		calls(use("set_summary", `{"summary":"testing tools"}`), use("list_peers", `{}`), use("mesh_info", `{}`),
			use("check_messages", `{}`), use("send_message", `{"to":"bo","message":"hello from claude"}`)),
		func(results []modelapi.Result) modelapi.Reply {
			sent := decode[message.SendResponse](t, of("send_message", results)[0])
			return modelapi.Use(prefix+"message_status", map[string]string{"id": sent.ID})
		},
		calls(use("set_state", `{"key":"sprint","value":42}`), use("join_group", `{"name":"night","role":"lead"}`),
			use("set_status", `{"status":"working"}`), use("set_profile", `{"title":"Tester"}`), use("set_visible", `{"visible":true}`)),
		calls(use("get_state", `{"key":"sprint"}`), use("list_state", `{}`), use("leave_group", `{"name":"night"}`),
			use("mesh_stats", `{}`), use("ping_mesh", `{}`)),
	))
	out := c.run(ctx, "-p", "use the mesh", "--allowedTools", "mcp__claudemesh")
	t.Logf("took %v", out.Took)
	if out.Status != 0 || strings.TrimSpace(out.Stdout) != "done" {
		t.Fatalf("status %d: %s%s", out.Status, shorten(out.Stdout), shorten(out.Stderr))
	}
	results := lastResults(t, c.api)
	if len(results) != 17 {
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
	for _, tool := range tools(false) {
		got := of(tool, results)
		if len(got) != 1 || got[0].IsError {
			t.Errorf("%s: %+v", tool, got)
		}
	}
	if got := decode[state.GetResponse](t, of("get_state", results)[0]); string(got.JSON) != "42" || got.By != anaName {
		t.Errorf("get_state: %+v", got)
	}
	if got := decode[presence.SetStatusResponse](t, of("set_status", results)[0]); got.Status != "working" {
		t.Errorf("set_status: %+v", got)
	}
	changed, err := other.Await(ctx, 0, func(n harness.Channel) bool { return n.Kind() == "state_change" })
	must(t, err)
	if changed.Content != "[state] sprint = 42 (set by ana)" {
		t.Errorf("bo was shown %q", changed.Content)
	}
	// The few that are loaded from the start were there before any search.
	first := c.api.Requests()[slices.IndexFunc(c.api.Requests(), func(r modelapi.Request) bool { return len(r.Tools) > 0 })]
	for _, k := range node.Catalogue() {
		if k.Names.Tool != "" && first.Offers(prefix+k.Names.Tool) != k.Eager {
			t.Errorf("%s: offered from the start: %v", k.Names.Tool, !k.Eager)
		}
	}
}

// lazy are the tools that a model has to look for.
func lazy() []string {
	var out []string
	for _, k := range node.Catalogue() {
		if k.Names.Tool != "" && !k.Eager {
			out = append(out, k.Names.Tool)
		}
	}
	return out
}

// What the model is offered in each tier: tools it has or finds, or none.
func TestClaudeHasTheToolsOfItsTier(t *testing.T) {
	t.Parallel()
	for tier, offered := range map[string]struct{ eager, core, other bool }{
		"full": {true, true, true}, "core": {true, true, false}, "none": {},
	} {
		t.Run(tier, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, patience)
			w := newWorld(ctx, t)
			c := newClaude(ctx, t, w.ana, play(calls(load("set_state")), calls(load("ping_mesh")), calls(load("send_message"))), "--tools", tier)
			out := c.run(ctx, "-p", "look for tools", "--allowedTools", "mcp__claudemesh")
			if out.Status != 0 {
				t.Fatalf("status %d: %s%s", out.Status, shorten(out.Stdout), shorten(out.Stderr))
			}
			var got struct{ eager, core, other bool }
			for _, r := range c.api.Requests() {
				got.eager = got.eager || r.Offers(prefix+"send_message")
				got.core = got.core || r.Offers(prefix+"set_state")
				got.other = got.other || r.Offers(prefix+"ping_mesh")
			}
			if got != offered {
				t.Errorf("offered: %+v", got)
			}
		})
	}
}

func TestClaudeIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	agent(ctx, t, w.bo, "bo's")
	var wrong []modelapi.Call
	for _, m := range mistakes {
		wrong = append(wrong, use(m.tool, m.args))
	}
	c := newClaude(ctx, t, w.ana, play(calls(load(lazy()...)), calls(wrong...)))
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
