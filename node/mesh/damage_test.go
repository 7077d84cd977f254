package mesh

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// A new node key is a move: the others follow the higher generation.
func TestANewNodeKeyRaisesTheGeneration(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	team := ana.found("team")
	at := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	team.Met(at.self, at.Bind(), nil)
	if home, ok := team.Home(at.self); !ok || home != bo.peer {
		t.Fatalf("bo's home is %s, %v", home, ok)
	}
	if err := at.all.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	bo.peer = newPeer(t)
	bo.start("bo")
	moved := bo.All()[0]
	team.Met(at.self, moved.Bind(), nil)
	if home, ok := team.Home(at.self); !ok || home != bo.peer {
		t.Errorf("after the move bo's home is %s, %v, want %s", home, ok, bo.peer)
	}
	team.Met(at.self, at.Bind(), nil) // the copy that was left behind
	if home, _ := team.Home(at.self); home != bo.peer {
		t.Error("the older binding won")
	}
}

func TestOneDamagedMeshLeavesTheOthersAlone(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"lost":       os.Remove,
		"garbage":    func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"somebody's": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("ab", 32)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			ana := newHome(t, "ana")
			good, bad := ana.found("good"), ana.found("bad")
			if err := good.all.cfg.DB.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(keyPath(ana.dir, bad.id)); err != nil {
				t.Fatal(err)
			}
			ana.start("ana")
			out, err := ana.answerList(t.Context(), op.Caller{User: true}, ListRequest{})
			if err != nil || len(out.Meshes) != 1 || out.Meshes[0].Slug != "good" {
				t.Fatalf("%+v, %v", out, err)
			}
			if len(out.Broken) != 1 || out.Broken[0].ID != bad.id.String() || !strings.Contains(out.Text(), "cannot be used") {
				t.Errorf("broken: %+v", out.Broken)
			}
		})
	}
}

// When the store is lost, the key that is left is told of and never overwritten.
func TestAKeyWithoutItsMeshIsKept(t *testing.T) {
	ana, bo := newHome(t, "ana"), newHome(t, "bo")
	ana.found("team")
	at := bo.mustJoin(ana, ana.invite(InviteRequest{}))
	if err := at.all.cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(bo.dir, "node.db")); err != nil {
		t.Fatal(err)
	}
	bo.start("bo")
	if len(bo.broken) != 1 {
		t.Errorf("told of: %+v", bo.broken)
	}
	bo.mustJoin(ana, ana.invite(InviteRequest{}))
	kept, err := filepath.Glob(keyPath(bo.dir, at.id) + ".old-*")
	if err != nil || len(kept) != 1 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

// What names take agrees with what the admin log takes.
func TestNamesFitTheAdminLog(t *testing.T) {
	for _, name := range []string{"ana", "Ana Maria", "änä", "日本", "a\u202eb", "a\u200bb", "a\u2028b", "\ufffd", " a", "a ", "a\nb", "", strings.Repeat("x", 65)} {
		if op.CheckName(name) == nil {
			if err := trust.CheckName(name); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, name := range []string{"a\u202eb", "a\u200bb", "a\u2028b", "\ufffd", "a:b", "x (of y)", "<b>"} {
		if op.CodeOf(op.CheckName(name)) != op.Invalid {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestDiskErrorsSayWhatToDo(t *testing.T) {
	if e := op.AsError(diskError(os.ErrPermission)); e.Code != op.Denied || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	other := errors.New("other")
	if !errors.Is(diskError(other), other) {
		t.Error("another error was changed")
	}
}
