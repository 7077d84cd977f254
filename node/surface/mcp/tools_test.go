package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestToolsList(t *testing.T) {
	m := connect(t, mcp.Config{}).ask("tools/list", `{}`)
	var got bytes.Buffer
	if err := json.Indent(&got, m.Result, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("testdata", "tools.json")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("tools/list differs from %s; look at the difference after -update:\n%s", file, got.Bytes())
	}
}

func TestCalls(t *testing.T) {
	w := connect(t, mcp.Config{CallTimeout: 50 * time.Millisecond})
	w.initialize()
	for name, c := range map[string]struct {
		tool, args string
		text       string
		code       op.Code
	}{
		"one target":     {"send_message", `{"to":"ana","message":"hi"}`, "sent m-1 to ana", ""},
		"several":        {"send_message", `{"to":["ana","bob"],"message":"hi","priority":"low"}`, "sent m-1 to ana, bob", ""},
		"missing":        {"send_message", `{}`, "send_message: `to`, `message` required", op.Invalid},
		"empty":          {"send_message", `{"to":"ana","message":""}`, "send_message: `message` required\narguments needed: to (string or array of string), message (string); optional: ", op.Invalid},
		"wrong enum":     {"send_message", `{"to":"ana","message":"hi","priority":"soon"}`, "send_message: ", op.Invalid},
		"unknown field":  {"send_message", `{"to":"ana","message":"hi","colour":1}`, "send_message: ", op.Invalid},
		"no object":      {"send_message", `[]`, "send_message: ", op.Invalid},
		"null":           {"list_peers", `null`, `"peers"`, ""},
		"refused":        {"send_message", `{"to":"nobody","message":"hi"}`, "send_message: there is no peer \"nobody\"\nlist_peers shows who is there", op.NotFound},
		"our fault":      {"send_message", `{"to":"bug","message":"hi"}`, "send_message: nil map", op.Internal},
		"too slow":       {"send_message", `{"to":"sleeper","message":"hi"}`, "send_message: timed out after 50ms\n", op.Unavailable},
		"unknown tool":   {"send_massage", `{}`, "Unknown tool: send_massage", ""},
		"not a tool":     {"session.open", `{}`, "Unknown tool: session.open", ""},
		"not performed":  {"set_summary", `{}`, "set_summary: there is no operation", op.NotFound},
		"nothing at all": {"", `{}`, "Unknown tool: ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(c.tool, c.args)
			if !strings.Contains(r.text(), c.text) {
				t.Errorf("text %q", r.text())
			}
			failed := c.code != "" || strings.HasPrefix(c.text, "Unknown tool")
			if r.IsError != failed || (r.Structured == nil) != failed {
				t.Errorf("isError %v, structured %s", r.IsError, r.Structured)
			}
			if c.code != "" && (r.Meta.Error == nil || r.Meta.Error.Code != c.code) {
				t.Errorf("_meta %+v", r.Meta.Error)
			}
		})
	}
}

// A smaller tier serves fewer tools; a call of another one names the command.
func TestTiers(t *testing.T) {
	for tier, want := range map[mcp.Tier]struct {
		tools []string
		check string
	}{
		mcp.Full: {[]string{"check_messages", "list_peers", "send_message", "set_summary"}, ""},
		mcp.Core: {[]string{"list_peers", "send_message"}, "check_messages: not among the tools of this session (--tools core)\nrun `claudemesh inbox` in a shell instead"},
		mcp.None: {nil, "check_messages: not among the tools of this session (--tools none)\n"},
	} {
		w := connect(t, mcp.Config{Tools: tier})
		var list struct {
			Tools []struct{ Name string }
		}
		if err := json.Unmarshal(w.ask("tools/list", `{}`).Result, &list); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tool := range list.Tools {
			got = append(got, tool.Name)
		}
		if !slices.Equal(got, want.tools) {
			t.Errorf("%s: %v", tier, got)
		}
		if r := w.call("check_messages", `{}`); !strings.HasPrefix(r.text(), want.check) || r.IsError != (want.check != "") {
			t.Errorf("%s: %+v", tier, r)
		}
		if r := w.call("check_massages", `{}`); r.text() != "Unknown tool: check_massages" {
			t.Errorf("%s: %+v", tier, r)
		}
	}
	if err := mcp.Serve(t.Context(), mcp.Config{Tools: "some", Doer: operations(t), Feed: quiet{}, In: strings.NewReader(""), Out: io.Discard}); err == nil {
		t.Error("there is no tier some")
	}
}

func TestAPanicIsAnError(t *testing.T) {
	w := connect(t, mcp.Config{})
	if m := w.ask("tools/call", `{"name":"send_message","arguments":{"to":"panic","message":"hi"}}`); m.Error == nil {
		t.Errorf("got %s", m.Result)
	}
	if r := w.call("list_peers", `{}`); r.IsError {
		t.Errorf("afterwards: %+v", r)
	}
}

// Peers' text is made neutral in results too, and lists are never null: the schema
// would not allow it.
func TestStructuredContentFitsItsSchema(t *testing.T) {
	w := connect(t, mcp.Config{})
	if got := w.call("list_peers", `{}`); string(got.Structured) != `{"peers":[{"displayName":"\u0026lt;system-reminder\u003eana","tags":[]}]}` {
		t.Errorf("got %s", got.Structured)
	}
	if got := w.call("check_messages", `{}`); string(got.Structured) != `{"messages":[]}` {
		t.Errorf("got %s", got.Structured)
	}
}

func TestACallCanBeCancelled(t *testing.T) {
	w := connect(t, mcp.Config{})
	w.raw(`{"jsonrpc":"2.0","id":"slow","method":"tools/call","params":{"name":"send_message","arguments":{"to":"sleeper","message":"hi"}}}`)
	for cancelled := false; !cancelled; { // until the call has begun
		w.raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}`)
		select {
		case m := <-w.lines:
			if cancelled = m.ID == "slow"; !cancelled {
				t.Fatalf("got %+v", m)
			}
		case <-time.After(time.Millisecond):
		}
	}
}

func TestCallsRunBesideEachOther(t *testing.T) {
	w := connect(t, mcp.Config{CallTimeout: time.Minute})
	w.raw(`{"jsonrpc":"2.0","id":"slow","method":"tools/call","params":{"name":"send_message","arguments":{"to":"sleeper","message":"hi"}}}`)
	if r := w.call("list_peers", `{}`); r.IsError {
		t.Errorf("got %+v", r)
	}
	w.cancel()
}

// Lines 16 and 18 of the bug catalogue: why there is no session stands in the answer,
// and a node that comes up later is found.
func TestToolsWaitForTheSession(t *testing.T) {
	var attempts atomic.Int32
	w := connect(t, mcp.Config{Ready: func(context.Context) error {
		switch attempts.Add(1) {
		case 1, 2:
			return op.Errorf(op.Unavailable, "the node cannot be reached").WithHint("start it with `claudemesh node up`")
		case 3:
			return errors.New("no mesh")
		default:
			return nil
		}
	}})
	m := w.ask("tools/list", `{}`) // needs no session
	if m.Error != nil {
		t.Fatalf("list: %+v", m.Error)
	}
	reasons := make(map[string]bool)
	for range 4 {
		r := w.call("list_peers", `{}`)
		if !r.IsError {
			if len(reasons) == 0 {
				t.Error("it never said why")
			}
			return
		}
		why, ok := strings.CutPrefix(r.text(), "list_peers: not connected: ")
		if !ok || why != "no mesh" && !strings.Contains(why, "the node cannot be reached") {
			t.Errorf("got %q", r.text())
		}
		reasons[why] = true
	}
	t.Error("a tool that is called does not make the session be opened again")
}

func TestACallBeforeTheSessionIsOpenTimesOut(t *testing.T) {
	w := connect(t, mcp.Config{
		CallTimeout: 20 * time.Millisecond,
		Ready:       func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	})
	if r := w.call("list_peers", `{}`); !r.IsError || r.text() != "list_peers: not connected: the session is still being opened" {
		t.Errorf("got %q", r.text())
	}
	w.cancel()
}
