package modelapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/test/agents/modelapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, model modelapi.Model) *modelapi.Server {
	t.Helper()
	s, err := modelapi.New(model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		_ = s.Close() // more than once is no matter
	})
	return s
}

func post(t *testing.T, s *modelapi.Server, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(s.URL()+"/v1/messages?beta=true", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheModelSeesTheConversationAndCallsTools(t *testing.T) {
	s := serve(t, func(r modelapi.Request) modelapi.Reply {
		if len(r.Results()) == 0 {
			return modelapi.Reply{Text: "so be it", Calls: []modelapi.Call{{Name: "a", Input: map[string]int{"x": 1}}, {Name: "b", Input: json.RawMessage(`[]`)}}}
		}
		return modelapi.Say("done")
	})
	_, text := post(t, s, `{"model":"m","messages":[{"role":"user","content":"go"}],"tools":[{"name":"a"}]}`)
	for _, want := range []string{`"so be it"`, `"name":"a"`, `"input":{"x":1}`, `"input":[]`, `"stop_reason":"tool_use"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	_, text = post(t, s, `{"model":"m","messages":[{"role":"user","content":"go"},
		{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{"x":1}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","is_error":true,"content":"no"},{"type":"text","text":"and more"}]}]}`)
	if !strings.Contains(text, `"stop_reason":"end_turn"`) {
		t.Errorf("got %s", text)
	}
	r, err := s.Await(t.Context(), 1, func(modelapi.Request) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Results(); len(got) != 1 || got[0].Name != "a" || got[0].Text != "no" || !got[0].IsError || string(got[0].Input) != `{"x":1}` {
		t.Errorf("results %+v", got)
	}
	if got := r.Last().Text(); got != "no\nand more" {
		t.Errorf("last %q", got)
	}
	if !s.Requests()[0].Offers("a") || r.Offers("a") || r.User() != "go\nno\nand more" {
		t.Errorf("user %q", r.User())
	}
}

func TestAStreamHasTheEventsInOrder(t *testing.T) {
	s := serve(t, func(modelapi.Request) modelapi.Reply { return modelapi.Use("a", map[string]string{"q": "é"}) })
	_, text := post(t, s, `{"model":"m","stream":true,"messages":[]}`)
	var names []string
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			names = append(names, name)
		}
	}
	const want = "message_start content_block_start content_block_delta content_block_stop message_delta message_stop"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s", got)
	}
	if !strings.Contains(text, `"partial_json":"{\"q\":\"é\"}"`) {
		t.Errorf("got %s", text)
	}
}

func TestWhatIsNoRequestIsRefusedAndTold(t *testing.T) {
	s := serve(t, func(modelapi.Request) modelapi.Reply { return modelapi.Say("") })
	if status, _ := post(t, s, `{"messages":7}`); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
	if len(s.Requests()) != 0 {
		t.Error("it was kept")
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Close(); err == nil {
		t.Error("Close says nothing of it")
	}
}

func TestNothingElseIsReachedThroughTheProxy(t *testing.T) {
	s := serve(t, func(modelapi.Request) modelapi.Reply { return modelapi.Say("") })
	proxy, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, target := range []string{"https://example.com/", "http://example.com/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, bytes.NewReader(nil))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: status %d", target, resp.StatusCode)
			}
		}
	}
	if got := s.Refused(); len(got) != 2 {
		t.Errorf("refused %v", got)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	s := serve(t, func(modelapi.Request) modelapi.Reply { return modelapi.Say("") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Await(ctx, 0, func(modelapi.Request) bool { return true }); err == nil {
		t.Error("got a request")
	}
}
