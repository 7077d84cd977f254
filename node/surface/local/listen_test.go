package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// start runs a server that is expected to fail.
func start(t *testing.T, path string) error {
	t.Helper()
	s, err := local.NewServer(local.ServerConfig{
		Socket: path, Doer: doer(echo), Feed: newJournal(), Hello: func() local.Hello { return local.Hello{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.Run(ctx)
}

func TestALivingNodeKeepsItsSocket(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path})
	if err := start(t, path); !errors.Is(err, local.ErrRunning) {
		t.Fatalf("got %v", err)
	}
	if _, err := client(t, local.ClientConfig{Socket: path}).Hello(t.Context()); err != nil {
		t.Fatalf("the first node lost its socket: %v", err)
	}
}

func TestASilentListenerKeepsItsSocket(t *testing.T) {
	path := socket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := start(t, path); !errors.Is(err, local.ErrRunning) {
		t.Fatalf("got %v", err)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := socket(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	stop := serve(t, local.ServerConfig{Socket: path})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if _, err := client(t, local.ClientConfig{Socket: path}).Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestPlacesWhereNoSocketGoes(t *testing.T) {
	path := socket(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, path); !errors.Is(err, local.ErrNotSocket) {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is gone: %q, %v", b, err)
	}

	open := filepath.Dir(socket(t))
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := start(t, filepath.Join(open, "node.sock")); !errors.Is(err, local.ErrNotPrivate) {
		t.Errorf("in a folder open to all: %v", err)
	}
	if err := start(t, "/tmp/"+strings.Repeat("x", 200)); !errors.Is(err, local.ErrPath) {
		t.Errorf("under a long path: %v", err)
	}

	made := filepath.Join(filepath.Dir(socket(t)), "a", "b", "node.sock")
	serve(t, local.ServerConfig{Socket: made})
	if info, err := os.Stat(filepath.Dir(made)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder made with %v, %v", info.Mode(), err)
	}
}

func TestOnlyOneOfManyStartersWins(t *testing.T) {
	path := socket(t)
	ctx, cancel := context.WithCancel(t.Context())
	const starters = 8
	results := make(chan error, starters)
	servers := make([]*local.Server, starters)
	for i := range servers {
		s, err := local.NewServer(local.ServerConfig{
			Socket: path, Doer: doer(echo), Feed: newJournal(), Hello: func() local.Hello { return local.Hello{PID: i} },
		})
		if err != nil {
			t.Fatal(err)
		}
		servers[i] = s
		go func() { results <- s.Run(ctx) }()
	}
	for range starters - 1 {
		if err := <-results; !errors.Is(err, local.ErrRunning) {
			t.Errorf("a loser: %v", err)
		}
	}
	eventually(t, "a winner that listens", func() bool {
		return slices.ContainsFunc(servers, func(s *local.Server) bool {
			select {
			case <-s.Listening():
				return true
			default:
				return false
			}
		})
	})
	cancel()
	if err := <-results; err != nil {
		t.Errorf("the winner: %v", err)
	}
}

func TestConnectionsBeyondTheCapWait(t *testing.T) {
	path := socket(t)
	serve(t, local.ServerConfig{Socket: path, MaxConns: 1})
	holder, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, local.ClientConfig{Socket: path})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Hello(ctx); op.CodeOf(err) != op.Unavailable {
		t.Errorf("served beyond the cap: %v", err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Hello(t.Context()); err != nil {
		t.Errorf("after a place became free: %v", err)
	}
}

func TestTheEndIsQuickAndFinishesWhatRuns(t *testing.T) {
	path := socket(t)
	began, finish := make(chan struct{}), make(chan struct{})
	feed := newJournal()
	stop := serve(t, local.ServerConfig{Socket: path, Feed: feed, Drain: 2 * time.Minute, Doer: doer(func(context.Context, op.Caller, string, json.RawMessage) (json.RawMessage, error) {
		close(began)
		<-finish
		return json.RawMessage(`{"done":true}`), nil
	})})
	idle, err := net.Dial("unix", path) // a connection without a request
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()

	c := client(t, local.ClientConfig{Socket: path})
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan error, 1)
	go func() { followed <- c.Follow(ctx, op.Caller{}, "", func(op.Event) error { return nil }) }()
	eventually(t, "a follower", func() bool { return feed.count() == 1 })

	answered := make(chan error, 1)
	go func() {
		out, err := c.Do(context.Background(), op.Caller{}, "test.slow", nil)
		if err == nil && string(out) != `{"done":true}` {
			err = errors.New(string(out))
		}
		answered <- err
	}()
	<-began
	at := time.Now()
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	eventually(t, "the feed's end", func() bool { return feed.count() == 0 })
	close(finish)
	if err := <-answered; err != nil {
		t.Errorf("the running operation: %v", err)
	}
	<-stopped
	if took := time.Since(at); took > time.Minute { // half of what it would wait for at most
		t.Errorf("took %v", took)
	}
	cancel()
	if err := <-followed; !errors.Is(err, context.Canceled) {
		t.Errorf("follow: %v", err)
	}
}
