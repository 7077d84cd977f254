//go:build agents

package agents

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/test/harness"
)

// inspector is the MCP Inspector's command line against one user's server.
type inspector struct {
	t    *testing.T
	home *harness.Home
	// session is the agent session it acts as, the same at each call.
	session string
	// env is given to the server, as KEY=VALUE.
	env []string
	// outputs are the schemas of the tools' results.
	outputs map[string]*jsonschema.Resolved
}

// tools are all there are, or those of the small tier.
func tools(core bool) []string {
	var out []string
	for _, k := range node.Catalogue() {
		if k.Names.Tool != "" && (k.Core || !core) {
			out = append(out, k.Names.Tool)
		}
	}
	slices.Sort(out)
	return out
}

// ask runs the Inspector for one request. It starts a server, asks, and ends it.
func (i *inspector) ask(ctx context.Context, args ...string) harness.Output {
	i.t.Helper()
	h := i.home
	dir := h.Dir + "/.." // the user's own
	full := append([]string{"--cli", bin, "mcp", "-q", "--format", "json",
		"-e", "CLAUDEMESH_CONFIG_DIR=" + h.Dir, "-e", "CLAUDEMESH_AUTOSTART=0", "-e", "CLAUDE_CODE_SESSION_ID=" + i.session}, args...)
	for _, e := range i.env {
		full = append(full, "-e", e)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8"}
	return execute(ctx, i.t, env, dir, inspectorBin, full...)
}

// list asks for the tools, which must be these, and keeps their schemas.
func (i *inspector) list(ctx context.Context, want []string) {
	i.t.Helper()
	out := i.ask(ctx, "--method", "tools/list", "--strict")
	var doc struct {
		Result struct {
			Tools []struct {
				Name         string             `json:"name"`
				InputSchema  *jsonschema.Schema `json:"inputSchema"`
				OutputSchema *jsonschema.Schema `json:"outputSchema"`
			} `json:"tools"`
		} `json:"result"`
	}
	if out.Status != 0 || json.Unmarshal([]byte(out.Stdout), &doc) != nil {
		i.t.Fatalf("tools/list: status %d\n%s%s", out.Status, shorten(out.Stdout), out.Stderr)
	}
	if out.Stderr != "" {
		i.t.Errorf("the Inspector says of the schemas: %s", out.Stderr)
	}
	i.outputs = map[string]*jsonschema.Resolved{}
	var names []string
	for _, tool := range doc.Result.Tools {
		names = append(names, tool.Name)
		if tool.InputSchema == nil || tool.InputSchema.Type != "object" || tool.OutputSchema == nil {
			i.t.Errorf("%s lacks a schema", tool.Name)
			continue
		}
		schema, err := tool.OutputSchema.Resolve(nil)
		if err != nil {
			i.t.Fatalf("%s: %v", tool.Name, err)
		}
		i.outputs[tool.Name] = schema
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		i.t.Errorf("tools %v, not %v", names, want)
	}
}

// call calls a tool.
func (i *inspector) call(ctx context.Context, tool, args string) (harness.ToolResult, harness.Output) {
	i.t.Helper()
	out := i.ask(ctx, "--method", "tools/call", "--tool-name", tool, "--tool-args-json", args)
	var doc struct{ Result *harness.ToolResult }
	if err := json.Unmarshal([]byte(out.Stdout), &doc); err != nil || doc.Result == nil {
		i.t.Fatalf("%s %s: status %d, no result\n%s%s", tool, args, out.Status, out.Stdout, out.Stderr)
	}
	return *doc.Result, out
}

// right calls a tool that must succeed, and decodes its structured content.
func (i *inspector) right(ctx context.Context, tool, args string) map[string]any {
	i.t.Helper()
	r, out := i.call(ctx, tool, args)
	if out.Status != 0 || r.IsError {
		i.t.Fatalf("%s %s: status %d: %s", tool, args, out.Status, r.Text())
	}
	if r.Text() == "" || len(r.Structured) == 0 {
		i.t.Fatalf("%s %s: text %q, structured %s", tool, args, r.Text(), r.Structured)
	}
	var data map[string]any
	must(i.t, json.Unmarshal(r.Structured, &data))
	if err := i.outputs[tool].Validate(data); err != nil {
		i.t.Errorf("%s %s: the result does not fit its schema: %v\n%s", tool, args, err, r.Structured)
	}
	return data
}

// wrong calls a tool that must fail, say why, and say what to do.
func (i *inspector) wrong(ctx context.Context, tool, args, why string) {
	i.t.Helper()
	r, out := i.call(ctx, tool, args)
	if out.Status != 5 || !r.IsError { // 5: a tool that failed
		i.t.Errorf("%s %s: status %d, isError %v: %s", tool, args, out.Status, r.IsError, r.Text())
	}
	checkFailure(i.t, tool, args, r.Text(), why)
	if len(r.Structured) > 0 {
		i.t.Errorf("%s %s: a failure with structured content %s", tool, args, r.Structured)
	}
}

// checkFailure checks the text of a failure: tool, reason, and a next step, on a
// line of its own or, where each of several targets has one, behind its reason.
func checkFailure(t *testing.T, tool, args, text, why string) {
	t.Helper()
	reason, step, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(reason, tool+": ") || !strings.Contains(reason, why) {
		t.Errorf("%s %s: want the reason %q, got\n%s", tool, args, why, text)
	}
	if strings.TrimSpace(step) == "" && !strings.Contains(reason, "(known: ") {
		t.Errorf("%s %s: no next step in\n%s", tool, args, text)
	}
}

// mistake is a wrong call, and a word of the reason.
type mistake struct{ tool, args, why string }

// mistakes are wrong arguments for each tool: missing, of the wrong type, unknown
// fields, unknown names.
var mistakes = []mistake{
	{"send_message", `{}`, "`to`, `message` required"},
	{"send_message", `{"to":"bo"}`, "`message` required"},
	{"send_message", `{"to":{"name":"bo"},"message":"hi"}`, "to"},
	{"send_message", `{"to":"bo","message":["hi"]}`, "message"},
	{"send_message", `{"to":"bo","message":"hi","priority":"urgent"}`, "priority"},
	{"send_message", `{"to":"bo","message":"hi","colour":"red"}`, "colour"},
	{"send_message", `{"to":"nobody","message":"hi"}`, "nobody"},
	{"send_message", `{"to":["nobody","noone"],"message":"hi"}`, "noone"},
	{"send_message", `{"to":"bo","message":"hi","expires_in":"soon"}`, "expires_in"},
	{"send_message", `{"to":"bo","message":"hi","id":"7"}`, "id"},
	{"send_message", `{"to":"bo","message":"hi","mesh_slug":"nowhere"}`, "nowhere"},
	{"list_peers", `{"all":{}}`, "all"},
	{"list_peers", `{"everyone":true}`, "everyone"},
	{"list_peers", `{"mesh_slug":"nowhere"}`, "nowhere"},
	{"message_status", `{}`, "`id` required"},
	{"message_status", `{"id":["a"]}`, "id"},
	{"message_status", `{"id":"x"}`, "x"},
	{"message_status", `{"id":"00000000-0000-4000-8000-000000000000"}`, "00000000"},
	{"message_status", `{"message":"00000000-0000-4000-8000-000000000000"}`, "`id` required"},
	{"check_messages", `{"limit":{}}`, "limit"},
	{"check_messages", `{"limit":5000}`, "5000"},
	{"check_messages", `{"unread":true}`, "unread"},
	{"check_messages", `{"mesh_slug":"nowhere"}`, "nowhere"},
	{"set_summary", `{}`, "`summary` required"},
	{"set_summary", `{"summary":{}}`, "summary"},
	{"set_summary", `{"summary":"x","title":"y"}`, "title"},
	{"set_status", `{"status":"busy"}`, "busy"},
	{"set_status", `{}`, "`status` required"},
	{"set_visible", `{"visible":[]}`, "visible"},
	{"set_visible", `{}`, "`visible` required"},
	{"set_profile", `{"title":7}`, "title"},
	{"set_profile", `{"colour":"red"}`, "colour"},
	{"join_group", `{"name":"all"}`, "@all means everybody"},
	{"join_group", `{"role":"lead"}`, "`name` required"},
	{"leave_group", `{"name":["a"]}`, "name"},
	{"set_state", `{"key":"c"}`, "`value` required"},
	{"set_state", `{"key":" ","value":1}`, "key"},
	{"get_state", `{"key":"nope"}`, "\"nope\" is not set"},
	{"get_state", `{"key":7}`, "key"},
	{"list_state", `{"prefix":7}`, "prefix"},
	{"mesh_stats", `{"mesh_slug":"nowhere"}`, "nowhere"},
	{"ping_mesh", `{"priorities":["soon"]}`, "soon"},
	{"mesh_info", `{"mesh_slug":[]}`, "mesh_slug"},
	{"mesh_info", `{"mesh":"atelier"}`, "mesh"},
	{"mesh_info", `{"mesh_slug":"nowhere"}`, "nowhere"},
}

func TestTheInspectorCallsEveryTool(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	other := agent(ctx, t, w.bo, "bo's")
	i := &inspector{t: t, home: w.ana, session: "inspector"}
	i.list(ctx, tools(false))

	sent := i.right(ctx, "send_message", `{"to":"bo","message":"hello from the inspector"}`)
	id, ok := sent["id"].(string)
	if !ok || id == "" {
		t.Fatalf("send_message: %v", sent)
	}
	got, err := other.AwaitMessage(ctx, id)
	must(t, err)
	if got.Content != "ana: hello from the inspector" {
		t.Errorf("bo got %q", got.Content)
	}
	// To several at once, of which one does not exist; and under an id of one's own.
	i.right(ctx, "send_message", `{"to":["bo","nobody"],"message":"both","priority":"now","expires_in":"1h"}`)
	const own = `{"to":"bo","message":"once","priority":"low","reply_to":"00000000-0000-4000-8000-000000000000","id":"0b7e8f60-5a3c-4f0e-9d55-1d2a3b4c5d6e","mesh_slug":"atelier"}`
	for range 2 {
		if sent := i.right(ctx, "send_message", own); sent["id"] != "0b7e8f60-5a3c-4f0e-9d55-1d2a3b4c5d6e" {
			t.Errorf("sent as %v", sent["id"])
		}
	}
	status := i.right(ctx, "message_status", `{"id":"`+id+`"}`)
	if status["delivered"] != true {
		t.Errorf("message_status: %v", status)
	}
	i.right(ctx, "message_status", `{"id":"`+id[:13]+`","mesh_slug":"atelier"}`)

	answer, err := harness.Tool[struct{ ID string }](ctx, other, "send_message",
		map[string]any{"to": got.Meta["from_id"], "message": "hello inspector", "reply_to": id, "priority": "low"})
	must(t, err)
	i.awaitMail(ctx, answer.ID)
	i.right(ctx, "check_messages", `{"again":true,"limit":5,"mesh_slug":"atelier"}`)

	i.others(ctx, other)
	i.right(ctx, "set_summary", `{"summary":"inspecting"}`)
	for _, args := range []string{`{}`, `{"all":true,"mesh_slug":"atelier"}`} {
		i.right(ctx, "list_peers", args)
	}
	for _, args := range []string{`{}`, `{"mesh_slug":"atelier"}`} {
		if info := i.right(ctx, "mesh_info", args); info["slug"] != meshName || info["displayName"] != anaName {
			t.Errorf("mesh_info: %v", info)
		}
	}
}

// others calls the tools about oneself, groups, state and the mesh.
func (i *inspector) others(ctx context.Context, other *harness.Agent) {
	i.t.Helper()
	for _, c := range []struct{ tool, args, key, want string }{
		{"set_status", `{"status":"working"}`, "status", "working"},
		{"set_status", `{"status":"idle"}`, "status", "idle"},
		{"set_visible", `{"visible":true}`, "visible", "true"},
		{"set_profile", `{"title":"Inspector","capabilities":["sql"]}`, "mesh_slug", meshName},
		{"join_group", `{"name":"@eng/web","role":"lead"}`, "group", "@eng/web:lead"},
		{"leave_group", `{"name":"eng/web"}`, "joined", "false"},
		{"set_state", `{"key":"sprint","value":{"n":[1,null]}}`, "value", "map[n:[1 <nil>]]"},
		{"get_state", `{"key":"sprint"}`, "updatedBy", anaName},
		{"set_state", `{"key":"none","value":null}`, "value", "<nil>"},
		{"list_state", `{}`, "total", "2"},
		{"mesh_stats", `{}`, "", ""},
		{"ping_mesh", `{"priorities":["now"]}`, "connection", "connected"},
	} {
		if got := fmt.Sprint(i.right(ctx, c.tool, c.args)[c.key]); c.key != "" && got != c.want {
			i.t.Errorf("%s %s: %s is %q, not %q", c.tool, c.args, c.key, got, c.want)
		}
	}
	if _, err := other.Await(ctx, 0, func(n harness.Channel) bool { return n.Meta["key"] == "sprint" }); err != nil {
		i.t.Error(err)
	}
}

// The tools of each tier, as a client lists them.
func TestTheInspectorListsTheTiers(t *testing.T) {
	t.Parallel()
	ctx := within(t, patience)
	w := newWorld(ctx, t)
	for tier, want := range map[string][]string{"full": tools(false), "core": tools(true), "none": nil} {
		i := &inspector{t: t, home: w.ana, session: tier, env: []string{"CLAUDEMESH_TOOLS=" + tier}}
		i.list(ctx, want)
	}
}

func TestTheInspectorIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	ctx := within(t, 5*time.Minute)
	w := newWorld(ctx, t)
	agent(ctx, t, w.bo, "bo's")
	for _, tool := range tools(false) {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			i := &inspector{t: t, home: w.ana, session: tool}
			for _, m := range mistakes {
				if m.tool == tool {
					i.wrong(ctx, m.tool, m.args, m.why)
				}
			}
		})
	}
}

// awaitMail calls check_messages until it gives the message.
func (i *inspector) awaitMail(ctx context.Context, id string) {
	i.t.Helper()
	must(i.t, harness.Until(ctx, func() (bool, any, error) {
		data := i.right(ctx, "check_messages", `{}`)
		list, _ := data["messages"].([]any)
		for _, m := range list {
			if fields, ok := m.(map[string]any); ok && fields["id"] == id {
				return true, data, nil
			}
		}
		return false, data, nil
	}))
}
