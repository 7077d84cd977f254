package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
	"github.com/claudemesh/claudemesh/test/powercut"
)

// bin is the program under test.
var bin string

func TestMain(m *testing.M) {
	powercut.Main(children)
	harnesstest.Main(m, &bin)
}

// ana and bo are the two users of most tests.
const (
	anaName  = "ana"
	boName   = "bo"
	meshName = "atelier"
)

// within gives a context for one step or a whole test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// newWorld makes a world that ends with the test.
func newWorld(t *testing.T) *harness.World {
	t.Helper()
	return harnesstest.World(t, harness.Config{Bin: bin})
}

// pair makes two homes whose nodes run and share a mesh.
func pair(ctx context.Context, t *testing.T) (w *harness.World, ana, bo *harness.Home) {
	t.Helper()
	w = newWorld(t)
	ana, bo, err := settle(ctx, w, harness.HomeConfig{Name: anaName}, harness.HomeConfig{Name: boName})
	if err != nil {
		t.Fatal(err)
	}
	return w, ana, bo
}

// settle makes two homes, starts their nodes and makes them members of one mesh.
func settle(ctx context.Context, w *harness.World, one, two harness.HomeConfig) (ana, bo *harness.Home, err error) {
	if ana, err = w.HomeWith(one); err != nil {
		return nil, nil, err
	}
	if bo, err = w.HomeWith(two); err != nil {
		return nil, nil, err
	}
	for _, h := range []*harness.Home{ana, bo} {
		if err := h.Start(ctx); err != nil {
			return nil, nil, err
		}
	}
	var invite mesh.InviteResponse
	if err := ana.JSON(ctx, &struct{}{}, "new", meshName, "--as", anaName); err != nil {
		return nil, nil, err
	}
	if err := ana.JSON(ctx, &invite, "invite"); err != nil {
		return nil, nil, err
	}
	var joined mesh.JoinResponse
	if err := bo.JSON(ctx, &joined, "join", invite.Link, "--as", boName); err != nil {
		return nil, nil, err
	}
	if joined.Slug != meshName || joined.Member != boName || joined.InvitedBy != anaName {
		return nil, nil, fmt.Errorf("joined %+v", joined)
	}
	return ana, bo, nil
}

// agent starts an agent whose server must keep to the protocol for its whole life.
func agent(ctx context.Context, t *testing.T, h *harness.Home, session string) *harness.Agent {
	t.Helper()
	return harnesstest.Agent(ctx, t, h, session)
}
