package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var token = strings.Repeat("ab", 32)

// doer performs by a function.
type doer func(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error)

func (d doer) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	return d(ctx, c, id, in)
}

// echo answers with what it was asked.
func echo(_ context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"caller": c, "id": id, "in": in})
}

// journal is a feed of events numbered from 1; a cursor is the last number.
type journal struct {
	mu       sync.Mutex
	events   int
	more     chan struct{}
	attached int
	fail     error
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) add(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events += n
	close(j.more)
	j.more = make(chan struct{})
}

// count tells how many follow.
func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.attached
}

func (j *journal) attach(n int) (events int, more chan struct{}, fail error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.attached += n
	return j.events, j.more, j.fail
}

func (j *journal) Follow(ctx context.Context, _ op.Caller, cursor string, fn func(op.Event) error) error {
	at, _ := strconv.Atoi(cursor)
	j.attach(1)
	defer j.attach(-1)
	for {
		events, more, fail := j.attach(0)
		if fail != nil {
			return fail
		}
		for ; at < events; at++ {
			if err := fn(op.Event{Cursor: strconv.Itoa(at + 1), Topic: op.TopicMessage, Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, at+1))}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		}
	}
}

func authenticate(t string) (op.Caller, error) {
	if t != token {
		return op.Caller{}, errors.New("no such session")
	}
	return op.Caller{Session: "s1"}, nil
}

func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return local.SocketPath(dir)
}

// serve runs a server until the test ends or the returned function is called.
func serve(t *testing.T, cfg local.ServerConfig) (stop func()) {
	t.Helper()
	if cfg.Doer == nil {
		cfg.Doer = doer(echo)
	}
	if cfg.Feed == nil {
		cfg.Feed = newJournal()
	}
	cfg.Authenticate = authenticate
	cfg.Hello = func() local.Hello { return local.Hello{Version: "1.2.3", PID: os.Getpid(), Boot: 7, Ready: true} }
	s, err := local.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Listening():
	case err := <-done:
		cancel()
		t.Fatalf("run: %v", err)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func client(t *testing.T, cfg local.ClientConfig) *local.Client {
	t.Helper()
	c := local.NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
	}
}

func TestCallersAreAuthenticated(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path})
	user := client(t, local.ClientConfig{Socket: path})

	for name, c := range map[string]struct {
		client *local.Client
		want   string
		code   op.Code
	}{
		"user":        {user, `{"caller":{"User":true,"Session":"","Member":"","Mesh":""},"id":"test.echo","in":{"a":1}}`, ""},
		"session":     {user.As(token), `{"caller":{"User":false,"Session":"s1","Member":"","Mesh":""},"id":"test.echo","in":{"a":1}}`, ""},
		"unknown":     {user.As(strings.Repeat("cd", 32)), "", op.Denied},
		"upper case":  {user.As(strings.ToUpper(token)), "", op.Denied},
		"no hex":      {user.As(strings.Repeat("zz", 32)), "", op.Denied},
		"too short":   {user.As("ab"), "", op.Denied},
		"only blanks": {user.As(" "), "", op.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := c.client.Do(t.Context(), op.Caller{Member: "ignored"}, "test.echo", json.RawMessage(`{"a":1}`))
			if op.CodeOf(err) != c.code || string(out) != c.want {
				t.Fatalf("got %s, %v", out, err)
			}
		})
	}
}

func TestErrorsCrossWhole(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path, Doer: doer(func(_ context.Context, _ op.Caller, id string, _ json.RawMessage) (json.RawMessage, error) {
		if id == "plain" {
			return nil, errors.New("disk on fire")
		}
		return nil, op.Errorf(op.Code(id), "it is %s", id).WithHint("do %s", "this")
	})})
	c := client(t, local.ClientConfig{Socket: path})
	for _, code := range []op.Code{
		op.NotFound, op.Ambiguous, op.Denied, op.Offline, op.Expired, op.TooLarge, op.RateLimited, op.Invalid,
		op.Conflict, op.Unavailable, op.Internal, "of_tomorrow",
	} {
		_, err := c.Do(t.Context(), op.Caller{}, string(code), nil)
		got := op.AsError(err)
		if got == nil || got.Code != code || got.Message != "it is "+string(code) || got.Hint != "do this" {
			t.Errorf("%s: got %#v", code, got)
			continue
		}
		upper := func(format string) string { return strings.NewReplacer("it is", "ES", "do", "HAZ").Replace(format) }
		if message, hint := got.In(upper); message != "ES "+string(code) || hint != "HAZ this" {
			t.Errorf("%s: in another language %q, %q", code, message, hint)
		}
	}
	if _, err := c.Do(t.Context(), op.Caller{}, "plain", nil); op.CodeOf(err) != op.Internal || err.Error() != "disk on fire" {
		t.Errorf("plain: %v", err)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path})
	c := client(t, local.ClientConfig{Socket: path})
	fits := json.RawMessage(`"` + strings.Repeat("x", op.MaxRequest-2) + `"`)
	if _, err := c.Do(t.Context(), op.Caller{}, "test.echo", fits); err != nil {
		t.Errorf("a request of the limit: %v", err)
	}
	_, err := c.Do(t.Context(), op.Caller{}, "test.echo", append(fits, ' '))
	if op.CodeOf(err) != op.TooLarge || !strings.Contains(err.Error(), strconv.Itoa(op.MaxRequest+1)) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestHello(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path})
	h, err := client(t, local.ClientConfig{Socket: path}).Hello(t.Context())
	if err != nil || h.Version != "1.2.3" || h.Boot != 7 || !h.Ready || h.PID != os.Getpid() || h.API != local.API {
		t.Fatalf("got %+v, %v", h, err)
	}
}

func TestUnreachableNodeSaysTheNextStep(t *testing.T) {
	_, err := client(t, local.ClientConfig{Socket: socket(t)}).Do(t.Context(), op.Caller{}, "test.echo", nil)
	if e := op.AsError(err); e == nil || e.Code != op.Unavailable || !strings.Contains(e.Hint, "claudemesh node up") {
		t.Fatalf("got %#v", e)
	}
}

func TestPatienceOutlastsARestart(t *testing.T) {
	path := socket(t)
	c := client(t, local.ClientConfig{Socket: path, Patience: time.Minute})
	done := make(chan error, 1)
	go func() {
		_, err := c.Do(context.Background(), op.Caller{}, "test.echo", nil)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("gave up: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	stop := serve(t, local.ServerConfig{Socket: path})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	stop()
	serve(t, local.ServerConfig{Socket: path}) // the kept connection is dead now
	if _, err := c.Do(t.Context(), op.Caller{}, "test.echo", nil); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
}

func TestOperationsEndWithTheirCaller(t *testing.T) {
	path := socket(t)
	began, ended := make(chan struct{}), make(chan struct{})
	serve(t, local.ServerConfig{Socket: path, Doer: doer(func(ctx context.Context, _ op.Caller, _ string, _ json.RawMessage) (json.RawMessage, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, err := client(t, local.ClientConfig{Socket: path}).Do(ctx, op.Caller{}, "test.slow", nil); op.CodeOf(err) != op.Unavailable {
		t.Errorf("got %v", err)
	}
	<-ended
}

// Catalogue line 15: where a node is found depends on its folder alone, whatever a
// session has for a temporary folder.
func TestSocketPath(t *testing.T) {
	if got := local.SocketPath("/home/ana/.claudemesh"); got != "/home/ana/.claudemesh/node.sock" {
		t.Error(got)
	}
	long := "/home/" + strings.Repeat("a", 100)
	got := local.SocketPath(long)
	if len(got) > 103 || !filepath.IsAbs(got) || strings.HasPrefix(got, long) {
		t.Error(got)
	}
	if got != local.SocketPath(long+"/./") || got == local.SocketPath(long+"b") {
		t.Error("not a function of the folder")
	}
	for _, name := range []string{"XDG_RUNTIME_DIR", "TMPDIR", "TMP", "TEMP", "HOME"} {
		t.Setenv(name, t.TempDir())
		if other := local.SocketPath(long); other != got {
			t.Errorf("with another %s: %s, not %s", name, other, got)
		}
	}
	if got := local.SocketPath("x"); !filepath.IsAbs(got) {
		t.Error(got)
	}
}
