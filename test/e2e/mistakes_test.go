package e2e

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node/op"
)

// mistakesOf are the wrong calls that follow from a tool's schema: a field that does
// not exist, needed ones that are missing or empty, each of a wrong type, a mesh that
// does not exist.
func mistakesOf(t *testing.T, k op.Contract) []step {
	t.Helper()
	in, err := k.Input()
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{}
	for _, name := range in.Required {
		good[name] = sample(in.Properties[name])
	}
	maps.Copy(good, samples[k.Names.Tool])
	call := func(change map[string]any, code op.Code, says string) step {
		args := maps.Clone(good)
		for name, v := range change {
			if args[name] = v; v == gone {
				delete(args, name)
			}
		}
		raw, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		return step{tool: k.Names.Tool, args: string(raw), code: code, text: []string{says}}
	}
	out := []step{
		call(map[string]any{"colour": "red"}, op.Invalid, "colour"),
		call(map[string]any{"mesh_slug": "nowhere"}, op.NotFound, "nowhere"),
	}
	for _, name := range in.Required {
		out = append(out, call(map[string]any{name: gone}, op.Invalid, "`"+name+"` required"))
		if in.Properties[name].Type == "string" {
			out = append(out, call(map[string]any{name: ""}, op.Invalid, "`"+name+"` required"))
		}
	}
	for name, p := range in.Properties {
		if len(p.AnyOf) > 0 {
			continue // any value will do
		}
		out = append(out, call(map[string]any{name: map[string]any{"x": 1}}, op.Invalid, name))
		if p.Type == "string" {
			out = append(out, call(map[string]any{name: 7}, op.Invalid, name))
		}
		if len(p.Enum) > 0 {
			out = append(out, call(map[string]any{name: "neither"}, op.Invalid, name))
		}
	}
	return out
}

// gone takes a field out.
const gone = "\x00"

// samples are right arguments where the schema does not tell them.
var samples = map[string]map[string]any{"set_status": {"status": "idle"}}

// sample is a value that fits a schema.
func sample(s *jsonschema.Schema) any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == "boolean":
		return true
	case s.Type == "integer":
		return 1
	case s.Type == "array":
		return []any{}
	}
	return "x"
}

// tooLong is more than anything takes.
var tooLong = strings.Repeat("x", 70_000)

// toolMistakes are the wrong calls that no schema tells of.
var toolMistakes = map[string][]step{
	"send_message": {
		{tool: "send_message", args: `{"to":"nobody","message":"hi"}`, code: op.NotFound, text: []string{"nobody", "bo"}},
		{tool: "send_message", args: `{"to":["nobody","noone"],"message":"hi"}`, code: op.NotFound, text: []string{"nobody", "noone"}},
		{tool: "send_message", args: `{"to":"@nobody","message":"hi"}`, code: op.NotFound, text: []string{"@nobody"}},
		{tool: "send_message", args: `{"to":"{ana.session}","message":"hi"}`, code: op.Invalid, text: []string{"this very session"}},
		{tool: "send_message", args: `{"to":"0123456789abcdef","message":"hi"}`, code: op.NotFound, text: []string{"0123456789abcdef"}},
		{tool: "send_message", args: `{"to":[],"message":"hi"}`, code: op.Invalid, text: []string{"to"}},
		{tool: "send_message", args: `{"to":"","message":"hi"}`, code: op.Invalid, text: []string{"to"}},
		{tool: "send_message", args: `{"to":"bo","message":"` + tooLong + `"}`, code: op.TooLarge, text: []string{"70000", "65536"}},
		{tool: "send_message", args: `{"to":"bo","message":"hi","expires_in":"soon"}`, code: op.Invalid, text: []string{"expires_in"}},
		{tool: "send_message", args: `{"to":"bo","message":"hi","expires_in":"90d"}`, code: op.Invalid, text: []string{"30d"}},
		{tool: "send_message", args: `{"to":"bo","message":"hi","id":"7"}`, code: op.Invalid, text: []string{"id"}},
		{tool: "send_message", args: `{"to":"bo","message":"hi","reply_to":"7"}`, code: op.Invalid, text: []string{"reply_to"}},
		{tool: "send_message", args: `{"to":"bo","message":"hi","files":["` + strings.Repeat(`a","`, 16) + `a"]}`, code: op.TooLarge, text: []string{"16"}},
	},
	"message_status": {
		{tool: "message_status", args: `{"id":"x"}`, code: op.Invalid, text: []string{"x"}},
		{tool: "message_status", args: `{"id":"00000000-0000-4000-8000-000000000000"}`, code: op.NotFound, text: []string{"00000000-0000-4000-8000-000000000000"}},
		{tool: "message_status", args: `{"id":"` + tooLong + `"}`, code: op.Invalid},
		// Only the sender may ask.
		{at: boName, tool: "message_status", args: `{"id":"{sent}"}`, code: op.Denied, text: []string{"only its sender"}},
	},
	"check_messages": {
		{tool: "check_messages", args: `{"limit":0.5}`, code: op.Invalid, text: []string{"limit"}},
		{tool: "check_messages", args: `{"limit":-1}`, code: op.Invalid, text: []string{"500"}},
		{tool: "check_messages", args: `{"limit":501}`, code: op.Invalid, text: []string{"500"}},
	},
	"set_summary": {
		{tool: "set_summary", args: `{"summary":"` + tooLong + `"}`, code: op.TooLarge, text: []string{"70000", "500"}},
		{tool: "set_summary", args: `{"summary":"x","session":"ana"}`, code: op.Denied},
	},
	"set_status": {
		{tool: "set_status", args: `{"status":"busy"}`, code: op.Invalid, text: []string{"idle, working or dnd"}},
		{tool: "set_status", args: `{"status":"dnd","session":"ana"}`, code: op.Denied},
	},
	"set_visible": {
		{tool: "set_visible", args: `{"visible":null}`, code: op.Invalid, text: []string{"visible"}},
		{tool: "set_visible", args: `{"visible":false,"session":"ana"}`, code: op.Denied},
	},
	"set_profile": {
		{tool: "set_profile", args: `{"title":"` + tooLong + `"}`, code: op.TooLarge, text: []string{"70000"}},
		{tool: "set_profile", args: `{"bio":"` + tooLong + `"}`, code: op.TooLarge, text: []string{"70000"}},
		{tool: "set_profile", args: `{"capabilities":"go"}`, code: op.Invalid, text: []string{"capabilities"}},
	},
	"join_group": {
		{tool: "join_group", args: `{"name":"all"}`, code: op.Invalid, text: []string{"@all means everybody"}},
		{tool: "join_group", args: `{"name":"a\"b"}`, code: op.Invalid},
		{tool: "join_group", args: `{"name":"` + tooLong + `"}`, code: op.Invalid, text: []string{"64 bytes"}},
		{tool: "join_group", args: `{"name":"g","role":"` + tooLong + `"}`, code: op.Invalid},
	},
	"leave_group": {
		{tool: "leave_group", args: `{"name":"all"}`, code: op.Invalid},
		{tool: "leave_group", args: `{"name":"` + tooLong + `"}`, code: op.Invalid, text: []string{"64 bytes"}},
	},
	"set_state": {
		{tool: "set_state", args: `{"key":" ","value":1}`, code: op.Invalid, text: []string{"cannot be a key"}},
		{tool: "set_state", args: `{"key":"` + tooLong + `","value":1}`, code: op.TooLarge, text: []string{"70000", "256"}},
		{tool: "set_state", args: `{"key":"big","value":"` + tooLong + `"}`, code: op.TooLarge, text: []string{"70002"}},
	},
	"get_state": {
		{tool: "get_state", args: `{"key":"nope"}`, code: op.NotFound, text: []string{`"nope" is not set`}},
		{tool: "get_state", args: `{"key":"` + tooLong + `"}`, code: op.TooLarge},
	},
	"list_state": {
		{tool: "list_state", args: `{"prefix":[]}`, code: op.Invalid, text: []string{"prefix"}},
	},
	"ping_mesh": {
		{tool: "ping_mesh", args: `{"priorities":["soon"]}`, code: op.Invalid, text: []string{"soon"}},
	},
}
