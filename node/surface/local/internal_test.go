package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

type stub struct{}

func (stub) Do(_ context.Context, c op.Caller, _ string, in json.RawMessage) (json.RawMessage, error) {
	if len(in) > op.MaxRequest {
		return nil, errors.New("too much came through")
	}
	if !c.User {
		return nil, errors.New("who is this?")
	}
	return json.RawMessage(`{"ok":true}`), nil
}

func (stub) Follow(context.Context, op.Caller, string, func(op.Event) error) error { return nil }

func stubHandler(tb testing.TB) http.Handler {
	tb.Helper()
	s, err := NewServer(ServerConfig{Socket: "s", Doer: stub{}, Feed: stub{}, Hello: func() Hello { return Hello{} }})
	if err != nil {
		tb.Fatal(err)
	}
	return s.handler(context.Background())
}

func TestRequestsThatAreNoneOfOurs(t *testing.T) {
	h := stubHandler(t)
	for name, c := range map[string]struct {
		method, target, body string
		header               http.Header
		status               int
		code                 op.Code
	}{
		"unknown path":     {"GET", "/", "", nil, 404, op.NotFound},
		"wrong method":     {"GET", "/v1/op/a.b", "", nil, 404, op.NotFound},
		"no id":            {"POST", "/v1/op/", "", nil, 404, op.NotFound},
		"browser":          {"POST", "/v1/op/a.b", "{}", http.Header{"Origin": {"https://evil.example"}}, 403, op.Denied},
		"empty origin":     {"GET", "/v1/hello", "", http.Header{"Origin": {""}}, 403, op.Denied},
		"empty token":      {"POST", "/v1/op/a.b", "{}", http.Header{sessionHeader: {""}}, 403, op.Denied},
		"two tokens":       {"POST", "/v1/op/a.b", "{}", http.Header{sessionHeader: {strings.Repeat("a", 64), "b"}}, 403, op.Denied},
		"token without us": {"GET", "/v1/feed", "", http.Header{sessionHeader: {strings.Repeat("a", 64)}}, 403, op.Denied},
		"too large":        {"POST", "/v1/op/a.b", strings.Repeat(" ", op.MaxRequest+1), nil, 413, op.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			if c.header != nil {
				r.Header = c.header
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if e := readError(w.Code, w.Body.Bytes()); w.Code != c.status || e.Code != c.code {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

// An unannounced body is cut off at the limit as well.
func TestChunkedBodiesAreLimited(t *testing.T) {
	r := httptest.NewRequest("POST", "/v1/op/a.b", io.MultiReader(strings.NewReader(strings.Repeat(" ", op.MaxRequest)), strings.NewReader("x")))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	stubHandler(t).ServeHTTP(w, r)
	if e := readError(w.Code, w.Body.Bytes()); e.Code != op.TooLarge {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for code, status := range statuses {
		if status < 400 || http.StatusText(status) == "" {
			t.Errorf("%s: %d", code, status)
		}
	}
}

func TestPace(t *testing.T) {
	var p pace
	now := time.Now()
	for _, want := range []time.Duration{10, 20, 40, 40} {
		if got := p.next(now); got != want*time.Millisecond {
			t.Errorf("got %v, want %vms", got, want)
		}
	}
	now = now.Add(31 * time.Second)
	for range 10 {
		p.next(now)
	}
	if got := p.next(now); got != time.Second {
		t.Errorf("later on: %v", got)
	}
}

func FuzzReadFeed(f *testing.F) {
	for _, seed := range []string{
		`{"cursor":"","topic":"heartbeat"}` + "\n" + `{"cursor":"a:1","topic":"message","mesh":"m","data":{"id":"1"}}` + "\n",
		`{"error":{"code":"denied","message":"no","hint":"x"}}`,
		"{}\n\n[]", "null", `{"cursor":5}`, "{\"topic\":\"a\"}\r\n", strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := readFeed(bytes.NewReader(b), func(e op.Event) error {
			if e.Topic == "" {
				t.Fatal("an event without topic")
			}
			if _, err := json.Marshal(e); err != nil {
				t.Fatalf("an event that is no JSON: %v", err)
			}
			return nil
		})
		if err == nil {
			t.Fatal("ended without a reason")
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("POST", "/v1/op/mesh.list", "", "{}")
	f.Add("GET", "/v1/feed?cursor=a%3A1", strings.Repeat("a", 64), "")
	f.Add("GET", "/v1/hello", "", "")
	f.Add("POST", "/v1/op/..%2f..", "\x00", "[")
	f.Fuzz(func(t *testing.T, method, target, token, body string) {
		r, err := http.NewRequest(method, "http://claudemesh"+target, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		if token != "" {
			r.Header[sessionHeader] = []string{token}
		}
		w := httptest.NewRecorder()
		stubHandler(t).ServeHTTP(w, r)
		if token != "" && strings.Contains(w.Body.String(), `"ok":true`) {
			t.Fatal("a token that nobody knows passed for the user")
		}
		if w.Code >= 400 && readError(w.Code, w.Body.Bytes()).Code == "" {
			t.Fatalf("an error without a code: %d %s", w.Code, w.Body)
		}
	})
}
