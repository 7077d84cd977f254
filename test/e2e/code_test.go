package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

// speaker is a home with a mesh, and another one that is in none.
func speaker(ctx context.Context, t *testing.T) (w *harness.World, ana, bo *harness.Home) {
	t.Helper()
	w = newWorld(t)
	for name, h := range map[string]**harness.Home{anaName: &ana, boName: &bo} {
		home, err := w.Home(name)
		if err != nil {
			t.Fatal(err)
		}
		mustStart(ctx, t, home)
		*h = home
	}
	must(ctx, t, ana, "new", meshName, "--as", anaName)
	return w, ana, bo
}

func codeOf(ctx context.Context, t *testing.T, h *harness.Home) mesh.CodeResponse {
	t.Helper()
	var out mesh.CodeResponse
	if err := h.JSON(ctx, &out, "invite", "--code"); err != nil {
		t.Fatal(err)
	}
	return out
}

func port(h *harness.Home) string { return fmt.Sprintf("127.0.0.1:%d", h.Port) }

// becomes waits for the outcome of a code.
func becomes(ctx context.Context, t *testing.T, h *harness.Home, plate int, want string) {
	t.Helper()
	var out mesh.CodeWaitResponse
	eventually(ctx, t, "was the code "+want, func() bool {
		if err := h.JSON(ctx, &out, "call", "code.wait", fmt.Sprintf(`{"nameplate":%d}`, plate)); err != nil {
			t.Fatal(err)
		}
		return out.Outcome == want
	})
}

func status(err error) int {
	var failed *harness.CommandError
	if errors.As(err, &failed) {
		return failed.Status
	}
	return 0
}

func TestJoinByACode(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	w, ana, bo := speaker(ctx, t)
	c := codeOf(ctx, t, ana)
	if parts := strings.Split(c.Code, "-"); len(parts) != 3 || parts[0] != fmt.Sprint(c.Plate) {
		t.Fatalf("the code is %q", c.Code)
	}
	var joined mesh.JoinResponse
	// As people type it, with the address behind it.
	if err := bo.JSON(ctx, &joined, "join", strings.ToUpper(c.Code)+"@"+port(ana), "--as", boName); err != nil {
		t.Fatal(err)
	}
	if joined.Slug != meshName || joined.Member != boName || joined.InvitedBy != anaName {
		t.Fatalf("%+v", joined)
	}
	becomes(ctx, t, ana, c.Plate, "joined")
	must(ctx, t, bo, "send", anaName, "hello")

	// It was good for one.
	third, err := w.Home("cy")
	if err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, third)
	err = third.JSON(ctx, &joined, "join", c.Code, "--at", port(ana))
	if status(err) != 5 {
		t.Errorf("joined twice: %v", err)
	}
	if found, err := w.Find(c.Code); err != nil || len(found) > 0 {
		t.Errorf("the code is in %v, %v", found, err)
	}
}

func TestAWrongCodeBurnsIt(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := speaker(ctx, t)
	c := codeOf(ctx, t, ana)
	wrong := fmt.Sprintf("%d-zoo-zoo", c.Plate)
	var joined mesh.JoinResponse
	// A word that no code has is no guess.
	if err := bo.JSON(ctx, &joined, "join", fmt.Sprintf("%d-zoo-otter", c.Plate), "--at", port(ana)); status(err) != 3 {
		t.Error(err)
	}
	if err := bo.JSON(ctx, &joined, "join", wrong, "--at", port(ana)); status(err) != 7 || !strings.Contains(err.Error(), "void") {
		t.Error(err)
	}
	becomes(ctx, t, ana, c.Plate, "burnt")
	if err := bo.JSON(ctx, &joined, "join", c.Code, "--at", port(ana)); status(err) != 5 {
		t.Errorf("the right code after a wrong one: %v", err)
	}
	// Its invite is over, too.
	if got := must(ctx, t, ana, "invites", "--json"); strings.Contains(got, `"open": true`) || strings.Contains(got, `"state": "open"`) {
		t.Errorf("open invites: %s", got)
	}
	// Whoever waits for it at the terminal hears of it.
	c = codeOf(ctx, t, ana)
	if err := ana.JSON(ctx, &struct{}{}, "call", "code.end", fmt.Sprintf(`{"nameplate":%d}`, c.Plate)); err != nil {
		t.Fatal(err)
	}
	becomes(ctx, t, ana, c.Plate, "withdrawn")
}

// The inviter's terminal shows the code, waits, and says what became of it.
func TestTheInviterWaits(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	_, ana, bo := speaker(ctx, t)
	for name, c := range map[string]struct {
		end    func(plate int)
		status int
		says   string
	}{
		"a wrong guess": {func(plate int) {
			_, _ = bo.Command(ctx, "join", fmt.Sprintf("%d-zoo-zoo", plate), "--at", port(ana))
		}, 7, "wrong code"},
		"ended": {func(plate int) {
			must(ctx, t, ana, "call", "code.end", fmt.Sprintf(`{"nameplate":%d}`, plate))
		}, 6, "was ended"},
	} {
		type ended struct {
			out harness.Output
			err error
		}
		done := make(chan ended, 1)
		go func() {
			out, err := ana.Command(ctx, "invite", "--code")
			done <- ended{out, err}
		}()
		plate := 0
		eventually(ctx, t, "was there a code", func() bool {
			plate = openCode(ctx, ana)
			return plate != 0
		})
		c.end(plate)
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		if got.out.Status != c.status || !strings.Contains(got.out.Stderr, c.says) || !strings.HasPrefix(got.out.Stdout, fmt.Sprint(plate)+"-") {
			t.Errorf("%s: status %d\n%s%s", name, got.out.Status, got.out.Stdout, got.out.Stderr)
		}
	}
}

// openCode finds the number of a code that waits, 0 for none.
func openCode(ctx context.Context, h *harness.Home) int {
	for plate := 1; plate <= 99; plate++ {
		out, err := mesh.CodeWait.Call(ctx, h.API(), op.Caller{}, mesh.CodeWaitRequest{Plate: plate})
		if err == nil && out.Outcome == "waiting" {
			return plate
		}
	}
	return 0
}
