//go:build agents

package agents

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// The programs under test and those that drive it.
var bin, claudeBin, inspectorBin string

func TestMain(m *testing.M) {
	if err := programs(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	harnesstest.Main(m, &bin)
}

// programs finds what npm has installed.
func programs() error {
	if os.Getenv(envAgents) == "" {
		return fmt.Errorf("%s does not say where the agents are installed: run `make test-agents`", envAgents)
	}
	claudeBin = module("@anthropic-ai", "claude-code-"+system(), "claude")
	inspectorBin = module(".bin", "mcp-inspector")
	needed := []string{claudeBin, inspectorBin}
	for _, o := range others() {
		needed = append(needed, o.program)
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: run `make test-agents`", err)
		}
	}
	return nil
}

// envAgents names the folder in which npm has installed the agents.
const envAgents = "CLAUDEMESH_AGENTS"

// module is a path below what npm has installed.
func module(parts ...string) string {
	return filepath.Join(append([]string{os.Getenv(envAgents), "node_modules"}, parts...)...)
}

// system is how npm packages name this one.
func system() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return runtime.GOOS + "-" + arch
}

const (
	anaName  = "ana"
	boName   = "bo"
	meshName = "atelier"
)

// patience is how long a test may take: some seconds on a quiet machine, and what hangs
// ends.
const patience = 3 * time.Minute

// within gives a context for one step or a whole test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// world is two users whose nodes run and share a mesh.
type world struct {
	*harness.World
	ana, bo *harness.Home
}

// newWorld makes a world that ends with the test.
func newWorld(ctx context.Context, t *testing.T) *world {
	t.Helper()
	w := harnesstest.World(t, harness.Config{Bin: bin})
	out := &world{World: w, ana: home(ctx, t, w, anaName), bo: home(ctx, t, w, boName)}
	var invite mesh.InviteResponse
	must(t, out.ana.JSON(ctx, &struct{}{}, "new", meshName, "--as", anaName))
	must(t, out.ana.JSON(ctx, &invite, "invite"))
	must(t, out.bo.JSON(ctx, &struct{}{}, "join", invite.Link, "--as", boName))
	return out
}

// home makes a home and starts its node.
func home(ctx context.Context, t *testing.T, w *harness.World, name string) *harness.Home {
	t.Helper()
	h, err := w.Home(name)
	if err != nil {
		t.Fatal(err)
	}
	must(t, h.Start(ctx))
	return h
}

// agent starts an agent of the harness's own, as the other side of a talk.
func agent(ctx context.Context, t *testing.T, h *harness.Home, session string) *harness.Agent {
	t.Helper()
	return harnesstest.Agent(ctx, t, h, session)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shorten cuts what would fill a page.
func shorten(text string) string {
	text = strings.TrimSpace(text)
	if r := []rune(text); len(r) > 2000 {
		return string(r[:1000]) + "\n…\n" + string(r[len(r)-1000:])
	}
	return text
}
