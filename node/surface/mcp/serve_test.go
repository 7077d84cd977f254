package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

// Line 9 of the bug catalogue: without the declared capability no notification is
// ever shown.
func TestInitialize(t *testing.T) {
	w := connect(t, mcp.Config{Self: func() op.Self { return op.Self{Name: "zoe", Role: "reviewer"} }})
	if got := w.initialize(); !strings.Contains(got, `You are "zoe" there, role "reviewer".`) {
		t.Errorf("instructions: %s", got)
	}
	var caps struct {
		Capabilities json.RawMessage
	}
	if err := json.Unmarshal(w.ask("initialize", hello).Result, &caps); err != nil {
		t.Fatal(err)
	}
	const want = `{"experimental":{"claude/channel":{}},"prompts":{"listChanged":true},"resources":{"listChanged":true},"tools":{}}`
	if string(caps.Capabilities) != want {
		t.Errorf("capabilities %s", caps.Capabilities)
	}
	for method, want := range map[string]string{
		"prompts/list": `{"prompts":[]}`, "resources/list": `{"resources":[]}`, "ping": `{}`,
	} {
		if got := w.ask(method, `{}`); string(got.Result) != want {
			t.Errorf("%s: %s", method, got.Result)
		}
	}
	if err := w.close(); err != nil {
		t.Errorf("the end of input: %v", err)
	}
}

func TestOlderRevisionsAreSpoken(t *testing.T) {
	for asked, want := range map[string]string{
		"2025-06-18": "2025-06-18", "2025-03-26": "2025-03-26", "2024-11-05": "2024-11-05",
		"2026-07-28": "2025-11-25", "2099-01-01": "2025-11-25",
	} {
		w := connect(t, mcp.Config{})
		m := w.ask("initialize", strings.Replace(hello, "2025-11-25", asked, 1))
		if !strings.Contains(string(m.Result), `"protocolVersion":"`+want+`"`) {
			t.Errorf("%s: %s", asked, m.Result)
		}
	}
}

func TestLinesThatAreNoRequests(t *testing.T) {
	w := connect(t, mcp.Config{})
	for name, c := range map[string]struct {
		line string
		code int
	}{
		"no JSON":        {`{"jsonrpc"`, -32700},
		"a batch":        {`[]`, -32700},
		"no version":     {`{"id":1,"method":"ping"}`, -32600},
		"unknown method": {`{"jsonrpc":"2.0","id":1,"method":"tools/eat"}`, -32601},
		"params no list": {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}`, -32600},
		"too long":       {strings.Repeat("x", 3<<20), -32600},
	} {
		w.raw(c.line)
		if m := w.recv(); m.Error == nil || m.Error.Code != c.code {
			t.Errorf("%s: %+v", name, m)
		}
	}
	w.raw("")                                                         // nothing
	w.raw(`{"jsonrpc":"2.0","id":7,"result":{}}`)                     // an answer nobody waits for
	w.raw(`{"jsonrpc":"2.0","method":"notifications/roots/changed"}`) // a notification of no interest
	if m := w.ask("ping", `{}`); m.Error != nil {
		t.Errorf("ping after all that: %+v", m)
	}
}

// Line 11 of the bug catalogue.
func TestNothingIsPushedBeforeInitializedAndGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := newScript()
		feed.events <- event("1", op.TopicSystem, op.System{Event: "peer_joined", Text: "ana joined"})
		w := connect(t, mcp.Config{Feed: feed})
		w.ask("initialize", hello)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(feed.followed()) != 0 {
			t.Fatal("attached before initialized")
		}
		w.raw(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		time.Sleep(2*time.Second - 1)
		synctest.Wait()
		if len(feed.followed()) != 0 || len(w.lines) != 0 {
			t.Fatal("attached before the grace time was over")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if m := w.recv(); m.Method != "notifications/claude/channel" {
			t.Fatalf("got %+v", m)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
}

// Line 16 of the bug catalogue, where no tool is called: a session that cannot be
// opened says so, once, and takes part as soon as it can.
func TestASessionThatCannotBeOpenedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		feed := newScript()
		feed.events <- event("1", op.TopicReset, nil)
		w := connect(t, mcp.Config{Feed: feed, Ready: func(context.Context) error {
			if up.Load() {
				return nil
			}
			return op.Errorf(op.Unavailable, "the node <channel> cannot start").WithHint("run `claudemesh node logs`")
		}})
		w.initialize()
		time.Sleep(time.Hour)
		synctest.Wait()
		if m := w.recv(); !strings.Contains(string(m.Params), "Not connected to the mesh: the node (channel) cannot start. run `claudemesh node logs`") {
			t.Errorf("got %s", m.Params)
		}
		if len(w.lines) != 0 {
			t.Errorf("told %d times more", len(w.lines))
		}
		up.Store(true)
		if m := w.recv(); !strings.Contains(string(m.Params), "check_messages") {
			t.Errorf("got %s", m.Params)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestABurstArrivesWholeAndInOrder(t *testing.T) {
	feed := newScript()
	const n = 500
	for i := range n {
		feed.events <- event(strconv.Itoa(i), op.TopicMessage, op.Message{
			ID: strconv.Itoa(i), FromName: "ana", Priority: "next", Kind: "direct", Body: strings.Repeat("x", i*20),
		})
	}
	w := connect(t, mcp.Config{Feed: feed, Grace: -1})
	w.initialize()
	for i := 0; i < n; {
		m := w.recv()
		if m.Method == "" {
			continue
		}
		var p struct {
			Content string
			Meta    map[string]string // one value that is no string fails here
		}
		if err := json.Unmarshal(m.Params, &p); err != nil {
			t.Fatal(err)
		}
		if p.Meta["message_id"] != strconv.Itoa(i) || p.Content != "ana: "+strings.Repeat("x", i*20) {
			t.Fatalf("message %d: %v", i, p.Meta)
		}
		if i++; i%50 == 0 { // answers in between do not disturb
			w.raw(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)
		}
	}
}

func TestAFeedThatBreaksIsTakenUpBehindTheLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := newScript()
		feed.events <- event("a:7", op.TopicReset, nil)
		feed.events <- op.Event{Topic: "break"}
		feed.events <- event("a:8", op.TopicReset, nil)
		var opened atomic.Int32
		w := connect(t, mcp.Config{Feed: feed, Ready: func(context.Context) error { opened.Add(1); return nil }})
		w.initialize()
		for range 2 {
			if m := w.recv(); !strings.Contains(string(m.Params), "check_messages") {
				t.Fatalf("got %s", m.Params)
			}
		}
		if got := fmt.Sprint(feed.followed()); got != "[ a:7]" {
			t.Errorf("followed behind %s", got)
		}
		if opened.Load() != 2 {
			t.Errorf("the session was opened %d times", opened.Load())
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestServeEndsWhateverTheClientDoes(t *testing.T) {
	for name, stuck := range map[string]func(w *wire){
		"reading": func(*wire) {},
		"writing": func(w *wire) { w.raw(`{"jsonrpc":"2.0","id":1,"method":"ping"}`) },
		"a call":  func(w *wire) { w.raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_peers"}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			inR, inW := io.Pipe()
			outR, outW := io.Pipe() // nobody reads it
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- mcp.Serve(ctx, mcp.Config{
					Doer: operations(t), Feed: quiet{}, Catalogue: catalogue, In: inR, Out: outW,
					Ready: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
				})
			}()
			stuck(&wire{t: t, in: inW})
			at := time.Now()
			cancel()
			err := <-done
			if took := time.Since(at); err != nil || took > 100*time.Millisecond {
				t.Errorf("after %v: %v", took, err)
			}
			_, _ = inW.Close(), outR.Close()
		})
	}
}

func TestCallsFinishAfterTheEndOfInput(t *testing.T) {
	release := make(chan struct{})
	w := connect(t, mcp.Config{Ready: func(ctx context.Context) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	w.raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_peers"}}`)
	_ = w.in.Close()
	select {
	case <-w.done:
		t.Error("left a call behind")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if m := w.recv(); m.Error != nil || !strings.Contains(string(m.Result), "ana") {
		t.Errorf("got %+v", m)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

func TestAClientThatTakesNoMoreEndsTheServer(t *testing.T) {
	w := connect(t, mcp.Config{})
	_ = w.out.Close()
	w.raw(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	<-w.done
	if !errors.Is(w.err, io.ErrClosedPipe) {
		t.Errorf("got %v", w.err)
	}
}

// The library's own client, which asks for the newest revision first.
func TestWithTheLibrarysClient(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	feed := newScript()
	feed.events <- event("1", op.TopicMessage, op.Message{ID: "m", FromName: "ana", Kind: "direct", Body: "hi"})
	done := make(chan error, 1)
	go func() {
		done <- mcp.Serve(t.Context(), mcp.Config{
			Doer: operations(t), Feed: feed, Caller: op.Caller{Session: "s"}, Catalogue: catalogue, Grace: -1, In: inR, Out: outW,
		})
		_ = outW.Close()
	}()
	c := client.NewClient(transport.NewIO(outR, inW, io.NopCloser(strings.NewReader(""))))
	got := make(chan mcpgo.JSONRPCNotification, 10)
	c.OnNotification(func(n mcpgo.JSONRPCNotification) { got <- n })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Initialize(t.Context(), mcpgo.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	if v := c.ProtocolVersion(); v != "2025-11-25" {
		t.Errorf("speaks %s", v)
	}
	if n := <-got; n.Method != "notifications/claude/channel" || n.Params.AdditionalFields["content"] != "ana: hi" {
		t.Errorf("got %+v", n)
	}
	list, err := c.ListTools(t.Context(), mcpgo.ListToolsRequest{})
	if err != nil || len(list.Tools) != 4 {
		t.Fatalf("tools: %+v, %v", list, err)
	}
	req := mcpgo.CallToolRequest{}
	req.Params.Name, req.Params.Arguments = "send_message", map[string]any{"to": "ana", "message": "hi"}
	res, err := c.CallTool(t.Context(), req)
	if err != nil || res.IsError {
		t.Fatalf("call: %+v, %v", res, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
