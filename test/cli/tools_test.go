//go:build unix

package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/test/harness"
)

// twoAgents are two sessions of one user in one mesh.
func twoAgents(t *testing.T, env ...string) (h *harness.Home, robin, merle *harness.Agent) {
	t.Helper()
	ctx, h := limited(t), newHome(t)
	if out, err := h.Command(ctx, "new", "team", "--as", "ana"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	var agents []*harness.Agent
	for _, name := range []string{"robin", "merle"} {
		a, err := h.Agent(ctx, harness.AgentConfig{Session: "s-" + name, Name: name, Env: env})
		if err != nil {
			t.Fatal(err)
		}
		agents = append(agents, a)
	}
	for _, a := range agents {
		if _, err := a.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "welcome" }); err != nil {
			t.Fatal(err)
		}
	}
	return h, agents[0], agents[1]
}

// Each tool about presence, groups, profiles, state and the mesh, with right input
// and with wrong, by a client of a real server process.
func TestToolsOfASession(t *testing.T) {
	ctx := limited(t)
	_, robin, _ := twoAgents(t)
	for _, c := range []struct {
		tool, args, want string
		fails            bool
	}{
		{"set_summary", `{"summary":"reads the parser"}`, "Summary set in team", false},
		{"set_summary", `{}`, "`summary` required", true},
		{"set_status", `{"status":"dnd","mesh_slug":"team"}`, "Status dnd in team", false},
		{"set_status", `{"status":"busy"}`, "idle, working or dnd", true},
		{"set_status", `{"status":"idle","mesh_slug":"nowhere"}`, "nowhere", true},
		{"set_visible", `{"visible":false}`, "Hidden in team", false},
		{"set_visible", `{"visible":true}`, "Visible to everybody", false},
		{"set_visible", `{"visible":"yes"}`, "`visible`", true},
		{"join_group", `{"name":"@eng/web","role":"lead"}`, "Joined @eng/web:lead in team", false},
		{"join_group", `{"name":"all"}`, "@all means everybody", true},
		{"list_peers", `{}`, "robin [dnd, manual", false},
		{"list_peers", `{}`, "@eng/web:lead", false},
		{"list_peers", `{"mesh_slug":"nowhere"}`, "nowhere", true},
		{"leave_group", `{"name":"eng/web"}`, "Not in @eng/web any more", false},
		{"leave_group", `{}`, "`name` required", true},
		{"set_profile", `{"title":"Night shift"}`, "Set: title", false},
		{"set_profile", `{"title":""}`, "Cleared: title", false},
		{"set_profile", `{"colour":"red"}`, "colour", true},
		{"set_state", `{"key":"a","value":{"n":[1,null]}}`, `a = {"n":[1,null]}`, false},
		{"set_state", `{"key":"b","value":null}`, "b = null", false},
		{"set_state", `{"key":"c"}`, "`value` required", true},
		{"get_state", `{"key":"b"}`, "b = null (set by robin", false},
		{"get_state", `{"key":"nope"}`, `"nope" is not set`, true},
		{"list_state", `{}`, "a = {\"n\":[1,null]} (set by robin", false},
		{"list_state", `{"prefix":7}`, "`prefix`", true},
		{"mesh_info", `{}`, "State keys: 2: a, b", false},
		{"mesh_stats", `{}`, "Tool Calls", false},
		{"ping_mesh", `{"priorities":["now","low"]}`, "Push handler: attached", false},
		{"ping_mesh", `{"priorities":["soon"]}`, "soon", true},
	} {
		r, err := robin.CallTool(ctx, c.tool, json.RawMessage(c.args))
		if err != nil || r.IsError != c.fails || !strings.Contains(r.Text(), c.want) {
			t.Errorf("%s %s: %v, %v: %s", c.tool, c.args, r.IsError, err, r.Text())
		}
	}
}

// A shared key that one session writes is pushed to the other, and not to itself; a
// session whose member wants no messages gets nothing more.
func TestStateIsPushedAsTheModeAllows(t *testing.T) {
	ctx := limited(t)
	h, robin, merle := twoAgents(t)
	set := func(value string) {
		t.Helper()
		if r, err := robin.CallTool(ctx, "set_state", json.RawMessage(`{"key":"sprint","value":`+value+`}`)); err != nil || r.IsError {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	set("42")
	c, err := merle.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "state_change" })
	if err != nil || c.Content != "[state] sprint = 42 (set by robin (of ana))" || c.Meta["key"] != "sprint" || c.Meta["updated_by"] != "robin (of ana)" || c.Meta["mesh_slug"] != "team" {
		t.Fatalf("%+v, %v", c, err)
	}
	if out, err := h.Command(ctx, "profile", "--message-mode", "inbox"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	c, err = merle.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "self" })
	if err != nil || c.Meta["message_mode"] != "inbox" || !strings.Contains(c.Content, "check_messages") {
		t.Fatalf("%+v, %v", c, err)
	}
	if out, err := h.Command(ctx, "profile", "--message-mode", "off"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	seen := len(merle.Channels())
	set("43")
	if out, err := h.Command(ctx, "profile", "--message-mode", "push"); err != nil || out.Status != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	set("44")
	c, err = merle.Await(ctx, seen, func(c harness.Channel) bool { return c.Kind() == "state_change" })
	if err != nil || !strings.Contains(c.Content, "= 44 ") {
		t.Errorf("after off: %+v, %v", c, err)
	}
	for _, c := range robin.Channels() {
		if c.Kind() == "state_change" {
			t.Errorf("the writer was told: %+v", c)
		}
	}
	if err := merle.Breach(); err != nil {
		t.Error(err)
	}
}

// A tier without tools still pushes, and calls of tools count in the statistics.
func TestTiersAndStatistics(t *testing.T) {
	ctx := limited(t)
	h, robin, _ := twoAgents(t, "CLAUDEMESH_TOOLS=core")
	if len(robin.Tools) != 14 {
		t.Errorf("tools: %v", robin.Tools)
	}
	if r, err := robin.CallTool(ctx, "ping_mesh", nil); err != nil || !r.IsError || !strings.Contains(r.Text(), "claudemesh ping") {
		t.Errorf("%+v, %v", r, err)
	}
	for range 3 {
		if _, err := robin.CallTool(ctx, "list_peers", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := robin.CallTool(ctx, "get_state", json.RawMessage(`{"key":"nope"}`)); err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Meshes []struct {
			Peers []struct {
				Peer      string
				ToolCalls int
				Errors    int
			}
		}
	}
	if err := h.JSON(ctx, &stats, "stats"); err != nil {
		t.Fatal(err)
	}
	for _, p := range stats.Meshes[0].Peers {
		if p.Peer == "robin" && (p.ToolCalls != 4 || p.Errors != 1) {
			t.Errorf("got %+v", p)
		}
	}
	none, err := h.Agent(ctx, harness.AgentConfig{Session: "s-3", Name: "kim", Env: []string{"CLAUDEMESH_TOOLS=none"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "welcome" }); err != nil || len(none.Tools) != 0 {
		t.Errorf("%v, %v", none.Tools, err)
	}
}
