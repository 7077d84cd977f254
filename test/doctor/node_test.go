package doctor

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
)

// names fails the test if a fault is not named with its remedy.
func (h *ward) names(status, check, says, remedy string) {
	h.t.Helper()
	s := h.doctor()
	if got, _, ok := s.find(check, says, remedy); !ok || got != status {
		h.t.Errorf("%s: %q is %q, not named with %q as %s:\n%s", check, says, got, remedy, status, s)
	}
	if status == "fail" && s.OK {
		h.t.Errorf("it passes:\n%s", s)
	}
}

// A node that does not answer is told, with its process, in time.
func TestANodeThatHangs(t *testing.T) {
	h := newWard(t)
	h.team()
	h.check(h.Node().Pause())
	defer func() { h.check(h.Node().Resume()) }()
	h.names("fail", "node", fmt.Sprintf("process %d, hangs", h.Node().PID()), "claudemesh node down --force")
}

// A doctor starts a node where commands do, and tells why one does not start.
func TestANodeThatDoesNotStart(t *testing.T) {
	h := newWard(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
	h.check(err)
	defer l.Close()
	h.env = []string{"CLAUDEMESH_AUTOSTART=", fmt.Sprintf("CLAUDEMESH_LISTEN=/ip4/127.0.0.1/tcp/%d", h.Port)}
	h.names("fail", "node", "the node did not start", "another address to listen on")
	h.names("fail", "ports", "the port is taken by another program", "node.listen")
	h.check(l.Close())
	out, err := h.CommandEnv(h.ctx, h.env, "node", "up")
	if err != nil || out.Status != 0 {
		t.Fatal(err, out)
	}
	if s := h.doctor(); !s.OK {
		t.Errorf("something is wrong:\n%s", s)
	}
	h.must("node", "down")
}

// One of two ports that is taken does not keep the node from its work.
func TestAPortThatIsTaken(t *testing.T) {
	h := newWard(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
	h.check(err)
	defer l.Close()
	h.check(h.Start(h.ctx))
	h.names("warn", "ports", "the port is taken by another program", "node.listen")
}

func TestANodeOfAnotherVersion(t *testing.T) {
	other := older(t, "0.0.1")
	h := newWard(t)
	h.team()
	w, err := harness.New(harness.Config{Bin: other, Env: []string{path()}})
	h.check(err)
	defer w.Close()
	old, err := w.HomeWith(harness.HomeConfig{Name: "ana", Dir: h.Dir})
	h.check(err)
	out, err := old.Command(h.ctx, "doctor", "--json")
	h.check(err)
	if !strings.Contains(out.Stdout, "this program v0.0.1") || !strings.Contains(out.Stdout, "`claudemesh node down`; the next command starts the new one") {
		t.Errorf("the other version is not told:\n%s", out.Stdout)
	}
}

// A key file that is another's: the running node does not know yet.
func TestAKeyThatDoesNotMatch(t *testing.T) {
	h := newWard(t)
	h.team()
	var list mesh.ListResponse
	h.check(h.JSON(h.ctx, &list, "list"))
	key := h.in("keys", list.Meshes[0].ID+".key")
	h.write(key, strings.Repeat("ab", 32)+"\n")
	h.names("fail", "keys", "the key of mesh team does not match its public half", "claudemesh restore")
	h.check(os.Remove(key))
	h.names("fail", "keys", "the key of mesh team is gone", "claudemesh backup")
	// At its next start the node cannot use the mesh, and that is told, too.
	h.write(key, "short")
	h.Kill()
	h.check(h.Start(h.ctx))
	h.names("fail", "meshes", "cannot be used", "claudemesh restore")
}

// Two nodes: one that lost its socket, and one that runs from a copy of the folder.
func TestTwoNodes(t *testing.T) {
	h := newWard(t)
	h.team()
	h.check(h.Stop(h.ctx))
	copied := filepath.Join(h.w.Root(), "copy")
	h.check(os.CopyFS(copied, os.DirFS(h.Dir)))
	h.check(os.Chmod(copied, 0o700))
	h.check(h.Start(h.ctx))
	twin, err := h.w.HomeWith(harness.HomeConfig{Name: "twin", Dir: copied})
	h.check(err)
	h.check(twin.Start(h.ctx))
	h.names("fail", "twins", fmt.Sprintf("process %d runs from a copy of this folder", twin.Node().PID()), fmt.Sprintf("kill %d", twin.Node().PID()))
	h.check(twin.Stop(h.ctx))
	h.check(os.Remove(h.in("node.sock")))
	h.names("fail", "twins", fmt.Sprintf("process %d has this folder's store open", h.Node().PID()), fmt.Sprintf("kill %d", h.Node().PID()))
}

// Somebody who was removed, and somebody who was not reached.
func TestRemovedFromAMesh(t *testing.T) {
	h := newWard(t)
	h.team()
	ben := h.join("ben")
	h.must("ban", "ben", "--yes")
	as := *h
	as.Home = ben
	as.check(harness.Until(h.ctx, func() (bool, any, error) {
		var list mesh.ListResponse
		err := ben.JSON(h.ctx, &list, "list")
		return err == nil && len(list.Meshes) == 1 && list.Meshes[0].Removed != nil, list, err
	}))
	as.names("fail", "meshes", "you were removed from team", "claudemesh leave team")
}

func TestNobodyIsReached(t *testing.T) {
	h := newWard(t)
	h.team()
	ben := h.join("ben")
	h.check(ben.Stop(h.ctx))
	h.check(harness.Until(h.ctx, func() (bool, any, error) {
		out, err := h.Command(h.ctx, "ping")
		return err == nil && !strings.Contains(out.Stdout, " ms"), out.Stdout, err
	}))
	h.names("warn", "peers", "team: no other member's node is reached", "claudemesh peers --all")
}

// A membership that was restored on another machine is suspended here.
func TestRestoredElsewhere(t *testing.T) {
	h := newWard(t)
	h.team()
	ben := h.join("ben")
	h.at(ben, "call", "session.open", `{"agent_session":"b","name":"here"}`)
	h.check(harness.Until(h.ctx, func() (bool, any, error) {
		out, err := h.Command(h.ctx, "peers")
		return strings.Contains(out.Stdout, "here"), out.Stdout, err
	}))
	h.write(h.user("phrase"), "four words and a comma,\n")
	h.must("backup", h.user("a.cmb"), "--passphrase-file", h.user("phrase"), "--yes")
	other := h.home("other")
	h.at(other, "restore", h.user("a.cmb"), "--passphrase-file", h.user("phrase"))
	h.check(other.Start(h.ctx))
	h.check(harness.Until(h.ctx, func() (bool, any, error) {
		var list mesh.ListResponse
		err := h.JSON(h.ctx, &list, "list")
		return err == nil && list.Meshes[0].Elsewhere != nil, list, err
	}))
	h.names("fail", "meshes", "team is suspended here", "claudemesh restore")
}
