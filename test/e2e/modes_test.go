package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// The tools of each tier; what is pushed is the same in all of them.
func TestTiers(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := pair(ctx, t)
	sender := agent(ctx, t, bo, "bo's")
	tiers := map[string][]string{"full": nil, "core": nil, "none": nil}
	for _, k := range node.Catalogue() {
		if k.Names.Tool == "" {
			continue
		}
		tiers["full"] = append(tiers["full"], k.Names.Tool)
		if k.Core {
			tiers["core"] = append(tiers["core"], k.Names.Tool)
		}
	}
	for tier, want := range tiers {
		a, err := ana.Agent(ctx, harness.AgentConfig{Session: tier, Name: tier, Args: []string{"--tools", tier}})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if got := slices.Sorted(slices.Values(a.Tools)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", tier, got, want)
		}
		welcomed(ctx, t, a)
		awaitName(ctx, t, sender, tier)
		hear(ctx, t, a, send(ctx, t, sender, tier, "whatever tools you have", ""))
		r, err := a.CallTool(ctx, "ping_mesh", nil)
		if err != nil || r.IsError != (tier != "full") {
			t.Errorf("%s: ping_mesh: %v, %s", tier, err, r.Text())
		}
		if tier != "full" && !strings.Contains(r.Text(), "`claudemesh ping`") {
			t.Errorf("%s: it does not say what to do instead: %s", tier, r.Text())
		}
		if r, err := a.CallTool(ctx, "eat", nil); err != nil || !r.IsError || r.Text() != "Unknown tool: eat" {
			t.Errorf("%s: %v, %s", tier, err, r.Text())
		}
		if err := a.Breach(); err != nil {
			t.Error(err)
		}
	}
}

// A session that does not want to know who comes and goes is not told, the one
// beside it is.
func TestJoinsCanBeSilenced(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := pair(ctx, t)
	loud := agent(ctx, t, ana, "loud")
	quiet, err := ana.Agent(ctx, harness.AgentConfig{Session: "quiet", Name: "quiet", Args: []string{"--joins=false"}})
	if err != nil {
		t.Fatal(err)
	}
	welcomed(ctx, t, loud, quiet)
	event := func(name string) func(harness.Channel) bool {
		return func(c harness.Channel) bool { return c.Meta["event"] == name }
	}
	other := agent(ctx, t, bo, "bo's")
	if c, err := loud.Await(ctx, 0, event("peer_joined")); err != nil || c.Content != `[system] Peer "bo" joined the mesh` || c.Kind() != "system" {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := bo.JSON(ctx, &struct{}{}, "call", presence.Close.ID, `{"agent_session":"bo's"}`); err != nil {
		t.Fatal(err)
	}
	if c, err := loud.Await(ctx, 0, event("peer_left")); err != nil || c.Content != `[system] Peer "bo" left the mesh` {
		t.Fatalf("%+v, %v", c, err)
	}
	other.Kill()
	// What is sent after it gets through, so nothing was held up.
	hear(ctx, t, quiet, send(ctx, t, loud, "quiet", "anything new?", ""))
	for _, c := range quiet.Channels() {
		if c.Kind() == "system" {
			t.Errorf("the quiet one was told: %s", c.Content)
		}
	}
	if err := quiet.Breach(); err != nil {
		t.Error(err)
	}
}

// What a session is pushed in each message mode, and a change of its member's mode
// while it lives. Tools work in all of them.
//
// Catalogue 5: the ways in which sessions are served all pass the same delivery.
func TestMessageModes(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := pair(ctx, t)
	sender := agent(ctx, t, bo, "bo's")
	start := func(mode string) *harness.Agent {
		a, err := ana.Agent(ctx, harness.AgentConfig{Session: mode, Name: mode, Args: []string{"--message-mode", mode}})
		if err != nil {
			t.Fatal(err)
		}
		awaitName(ctx, t, sender, mode)
		return a
	}
	push, inbox, off := start("push"), start("inbox"), start("off")
	welcomed(ctx, t, push, inbox)
	ids := map[*harness.Agent]string{}
	for name, a := range map[string]*harness.Agent{"push": push, "inbox": inbox, "off": off} {
		ids[a] = send(ctx, t, sender, name, "the same for all", "")
	}
	if _, err := harness.Tool[state.SetResponse](ctx, sender, "set_state", json.RawMessage(`{"key":"k","value":1}`)); err != nil {
		t.Fatal(err)
	}
	hear(ctx, t, push, ids[push])
	hint, err := inbox.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "inbox_notification" })
	if err != nil || hint.Content != "[inbox] New message from bo. Use check_messages to read." || hint.Meta["from_name"] != "bo" {
		t.Fatalf("%+v, %v", hint, err)
	}
	for _, a := range []*harness.Agent{push, inbox} {
		if _, err := a.Await(ctx, 0, func(c harness.Channel) bool { return c.Kind() == "state_change" }); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []*harness.Agent{inbox, off} {
		awaitState(ctx, t, bo, ids[a], message.Delivered)
		if got := check(ctx, t, a, false); !mentions(got, ids[a]) || len(got.Messages) != 1 {
			t.Errorf("pulled: %+v", got)
		}
		awaitState(ctx, t, bo, ids[a], message.Seen)
		if slices.Contains(heard(a), ids[a]) {
			t.Error("it was pushed, too")
		}
	}
	if got := off.Channels(); len(got) > 0 {
		t.Errorf("off, and yet: %q", contents(got))
	}

	// A session of the member's own mode follows it.
	live := agent(ctx, t, ana, "live")
	welcomed(ctx, t, live)
	awaitName(ctx, t, sender, "ana")
	for _, mode := range []string{"inbox", "off", "push"} {
		if err := ana.JSON(ctx, &struct{}{}, "profile", "--message-mode", mode); err != nil {
			t.Fatal(err)
		}
		before := len(live.Channels())
		id := send(ctx, t, sender, "ana", "now by "+mode, "")
		switch mode {
		case "push":
			hear(ctx, t, live, id)
			continue
		case "inbox":
			if _, err := live.Await(ctx, before, func(c harness.Channel) bool { return c.Kind() == "inbox_notification" }); err != nil {
				t.Fatal(err)
			}
		}
		awaitState(ctx, t, bo, id, message.Delivered)
		if got := check(ctx, t, live, false); !mentions(got, id) {
			t.Errorf("%s: %+v", mode, got)
		}
		if slices.Contains(heard(live), id) {
			t.Errorf("%s: it was pushed", mode)
		}
		if mode == "off" && len(live.Channels()) > before {
			t.Errorf("off, and yet: %q", contents(live.Channels()[before:]))
		}
	}
	for _, a := range []*harness.Agent{push, inbox, off} {
		if err := a.Breach(); err != nil {
			t.Error(err)
		}
	}
}

// A session in two meshes says which it means where it matters, and what it does in
// one is not seen in the other.
//
// Catalogue 14: what was asked of one mesh was answered from both.
func TestTwoMeshes(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	w, ana, bo := pair(ctx, t)
	cy, err := w.Home(cyName)
	if err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, cy)
	if err := ana.JSON(ctx, &struct{}{}, "new", "attic", "--as", anaName); err != nil {
		t.Fatal(err)
	}
	invite(ctx, t, ana, cy, "attic")
	c := &crowd{world: w, kept: map[string]string{}, agents: map[string]*harness.Agent{
		anaName: agent(ctx, t, ana, "ana's"), boName: agent(ctx, t, bo, "bo's"), cyName: agent(ctx, t, cy, "cy's"),
	}}
	for _, a := range c.agents {
		welcomed(ctx, t, a)
	}
	c.play(ctx, t, []step{
		{at: boName, tool: "list_peers", await: true, text: []string{"2 peer(s)"}},
		{at: cyName, tool: "list_peers", await: true, text: []string{"2 peer(s)"}},
		{tool: "list_peers", await: true, text: []string{"atelier (", "attic (", " bo ", " cy "}, fact: map[string]string{"meshes.1.mesh": "attic"}},
		{tool: "list_peers", args: `{"mesh_slug":"attic"}`, text: []string{" cy "}, without: []string{"atelier", " bo "}},
		{tool: "mesh_stats", args: `{"mesh_slug":"attic"}`, text: []string{"cy"}, without: []string{"atelier", "bo"}},
		{tool: "mesh_stats", await: true, text: []string{"atelier", "attic"}},
		// What reads or writes one mesh must be told which.
		{tool: "mesh_info", code: op.Ambiguous, text: []string{"atelier", "attic"}},
		{tool: "ping_mesh", code: op.Ambiguous, text: []string{"atelier", "attic"}},
		{tool: "set_state", args: `{"key":"k","value":1}`, code: op.Ambiguous, text: []string{"atelier", "attic"}},
		{tool: "get_state", args: `{"key":"k"}`, code: op.Ambiguous, text: []string{"atelier", "attic"}},
		{tool: "list_state", code: op.Ambiguous, text: []string{"atelier", "attic"}},
		{tool: "send_message", args: `{"to":"*","message":"which?"}`, code: op.Ambiguous, text: []string{"atelier", "attic"}},
		{tool: "mesh_info", args: `{"mesh_slug":"attic"}`, text: []string{"Mesh attic"}, without: []string{"bo"}},
		{tool: "set_state", args: `{"key":"k","value":"up here","mesh_slug":"attic"}`},
		{at: cyName, shown: `[state] k = "up here" (set by ana)`, meta: map[string]string{"mesh_slug": "attic"}},
		{tool: "get_state", args: `{"key":"k","mesh_slug":"atelier"}`, code: op.NotFound, text: []string{"atelier"}},
		{tool: "send_message", args: `{"to":"attic:*","message":"all up here"}`},
		{at: cyName, shown: "all up here", meta: map[string]string{"mesh_slug": "attic"}},
		{tool: "send_message", args: `{"to":"@all","message":"all down here","mesh_slug":"atelier"}`},
		{at: boName, shown: "all down here", meta: map[string]string{"mesh_slug": meshName}},
		{tool: "send_message", args: `{"to":"cy","message":"cy, wherever you are"}`}, {at: cyName, shown: "cy, wherever you are"},
		// A status is everybody's business, a group only one mesh's.
		{tool: "set_status", args: `{"status":"working"}`, text: []string{"atelier", "attic"}},
		{tool: "join_group", args: `{"name":"web","mesh_slug":"attic"}`, without: []string{"atelier"}},
		{at: cyName, tool: "list_peers", await: true, text: []string{"[working", "@web"}},
		{at: boName, tool: "list_peers", await: true, text: []string{"[working"}, without: []string{"@web"}},
		{tool: "set_visible", args: `{"visible":false,"mesh_slug":"attic"}`, without: []string{"atelier"}},
		{at: cyName, tool: "list_peers", await: true, text: []string{"1 peer(s)"}},
		{at: boName, tool: "list_peers", text: []string{"2 peer(s)"}},
		{at: boName, never: "up here"}, {at: cyName, never: "down here"},
	})
}
