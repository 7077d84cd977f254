package faults

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// bin is the program under test.
var bin string

func TestMain(m *testing.M) { harnesstest.Main(m, &bin) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world makes a world that ends with the test.
func world(t *testing.T, enter func() error) *harness.World {
	t.Helper()
	return harnesstest.World(t, harness.Config{Bin: bin, Limit: 5 * time.Minute, Enter: enter})
}

// home makes a home in a folder, or in one of its own.
func home(t *testing.T, w *harness.World, name, dir string) *harness.Home {
	t.Helper()
	if dir != "" {
		must(t, os.MkdirAll(dir, 0o700))
	}
	h, err := w.HomeWith(harness.HomeConfig{Name: name, Dir: dir})
	must(t, err)
	t.Cleanup(func() { end(h) })
	return h
}

// end kills a node that was started in the background and is nobody's child.
func end(h *harness.Home) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if pid := running(ctx, h); pid > 0 {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may have ended
		}
	}
}

// running is the process of a home's node; 0: none runs.
func running(ctx context.Context, h *harness.Home) int {
	var status struct{ PID int }
	if err := h.JSON(ctx, &status, "node", "status"); err != nil {
		return 0
	}
	return status.PID
}

// join has somebody come into the mesh of ana.
func join(ctx context.Context, t *testing.T, ana, ben *harness.Home) {
	t.Helper()
	var made mesh.InviteResponse
	must(t, ana.JSON(ctx, &struct{}{}, "new", "atelier", "--as", ana.Name))
	must(t, ana.JSON(ctx, &made, "invite"))
	must(t, ben.JSON(ctx, &struct{}{}, "join", made.Link, "--as", ben.Name))
	delivered(ctx, t, ben, send(ctx, t, ben, "ana", "hello"))
}

func user() op.Caller { return op.Caller{User: true} }

// send has a message accepted.
func send(ctx context.Context, t *testing.T, h *harness.Home, to, text string) string {
	t.Helper()
	out, err := message.Send.Call(ctx, h.API(), user(), message.SendRequest{To: message.Targets{to}, Message: text})
	must(t, err)
	return out.ID
}

// delivered waits until messages are where they should be.
func delivered(ctx context.Context, t *testing.T, h *harness.Home, ids ...string) {
	t.Helper()
	for _, id := range ids {
		err := harness.Until(ctx, func() (bool, any, error) {
			out, err := message.Status.Call(ctx, h.API(), user(), message.StatusRequest{ID: id})
			return out.Delivered, out.Recipients, err
		})
		if err != nil {
			t.Fatalf("message %s of %s: %v", id, h.Name, err)
		}
	}
}

// refusal is what a command says that cannot do what it should.
type refusal struct {
	code, message, hint string
	status              int
}

// fails runs a command that must fail, and checks that the person is told what is wrong
// and what to do.
func fails(ctx context.Context, t *testing.T, h *harness.Home, args ...string) refusal {
	t.Helper()
	out, err := h.Command(ctx, append(args, "--json")...)
	must(t, err)
	if out.Status == 0 {
		t.Fatalf("%v succeeds: %s", args, out.Stdout)
	}
	var doc struct {
		Error struct{ Code, Message, Hint string }
	}
	if err := json.Unmarshal([]byte(out.Stdout), &doc); err != nil {
		t.Fatalf("%v: status %d, no document: %s%s", args, out.Status, out.Stdout, out.Stderr)
	}
	r := refusal{doc.Error.Code, doc.Error.Message, doc.Error.Hint, out.Status}
	t.Logf("%.60s: %s [%s, status %d]\n    %s", strings.Join(args, " "), r.message, r.code, r.status, r.hint)
	r.clear(t, args)
	return r
}

// clear checks that a refusal is one that a person can act on.
func (r refusal) clear(t *testing.T, args []string) {
	t.Helper()
	switch {
	case r.code == "" || r.code == string(op.Internal):
		t.Errorf("%.60v: a fault of ours: %+v", args, r)
	case r.message == "" || r.hint == "":
		t.Errorf("%.60v: what is wrong, or what to do, is not said: %+v", args, r)
	case strings.Contains(r.message, "goroutine ") || strings.Contains(r.message, "0x"):
		t.Errorf("%.60v: for programmers: %+v", args, r)
	}
}

// says checks that a refusal names what matters.
func (r refusal) says(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(strings.ToLower(r.message+" "+r.hint), word) {
			t.Errorf("nothing is said of %q: %+v", word, r)
		}
	}
}

// asRefusal is the refusal in an error of a command or of the node.
func asRefusal(err error) (refusal, bool) {
	var c *harness.CommandError
	if errors.As(err, &c) {
		return refusal{c.Code, c.Message, c.Hint, c.Status}, true
	}
	var e *op.Error
	if errors.As(err, &e) {
		return refusal{string(e.Code), e.Message, e.Hint, 0}, true
	}
	return refusal{}, false
}
