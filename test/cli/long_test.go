//go:build unix

package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Catalogue 15: commands inside a session looked for the node in the session's
// temporary folder. In a folder with a long path the socket lies elsewhere, and is
// found there by sessions with other temporary folders, too.
func TestANodeInALongFolderIsFoundFromEverySession(t *testing.T) {
	ctx := limited(t)
	w, err := harness.New(harness.Config{Bin: program})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.Root(), strings.Repeat("long", 25))
	socket := local.SocketPath(dir)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		_ = os.Remove(socket) // gone already, unless the node was killed
		if err := os.Remove(socket + ".lock"); err != nil {
			t.Error(err)
		}
	})
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h, err := w.HomeWith(harness.HomeConfig{Name: "ana", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.JSON(ctx, &struct{}{}, "new", "team", "--as", "ana"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Dir(socket))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the socket: %v, %v", info, err)
	}
	other := t.TempDir()
	env := []string{"TMPDIR=" + other, "XDG_RUNTIME_DIR=" + other}
	var status struct{ PID int }
	if err := h.JSONEnv(ctx, env, &status, "node", "status"); err != nil || status.PID != h.Node().PID() {
		t.Errorf("process %d, not %d: %v", status.PID, h.Node().PID(), err)
	}
	a, err := h.Agent(ctx, harness.AgentConfig{Session: "s-1", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.CallTool(ctx, "mesh_info", nil)
	if err != nil || r.IsError || !strings.Contains(r.Text(), "Mesh team") {
		t.Errorf("%v: %s", err, r.Text())
	}
}
