package doctor

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/claudemesh/claudemesh/cli/doctor/probe"
	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/setup"
)

// lookForTwins looks for a second node in this folder, or from a copy of it. Two of them
// are one member: mail reaches the one or the other.
func lookForTwins(ctx context.Context, x *exam) []Finding {
	s, ok := x.node(ctx)
	if !ok {
		return noNode(ctx.Err())
	}
	var out []Finding
	found := map[int]bool{s.PID: true}
	if pid := x.System.Holder(x.in("node.db")); pid > 0 && pid != s.PID {
		found[pid] = true
		out = append(out, fail("two nodes: process %d has this folder's store open, and is not the one that answers", pid).hint("end it: kill %d", pid))
	}
	own, _ := os.ReadFile(x.in("node.key")) // missing: nothing is equal to it
	for _, p := range x.running(ctx) {
		dir, is := nodeFolder(p)
		switch {
		case !is || found[p.PID]:
		case sameFile(dir, x.Dir):
			if s.err == nil || x.System.Holder(x.in("node.db")) == p.PID {
				out = append(out, fail("two nodes: process %d runs in this folder, too", p.PID).hint("end it: kill %d", p.PID))
			}
		default:
			if key, err := os.ReadFile(filepath.Join(dir, "node.key")); err == nil && len(own) > 0 && bytes.Equal(key, own) {
				out = append(out, fail("two nodes with one key: process %d runs from a copy of this folder, %s", p.PID, dir).
					hint("end it: kill %d; a second folder joins your meshes with an invite of its own", p.PID))
			}
		}
	}
	if h, err := x.health(ctx); err == nil {
		for _, m := range h.Meshes {
			if m.Twin {
				out = append(out, fail("two nodes with one key: another one signs with your member key in %s", m.Slug).
					hint("end the node that runs from a copy of this folder; if there is none you know of, leave the mesh and be invited again"))
			}
		}
	}
	if len(out) == 0 && s.err != nil {
		return noNode(s.err)
	}
	if len(out) == 0 {
		return one(pass("one node has this folder and its keys"))
	}
	return out
}

// nodeFolder is the claudemesh folder of a process that runs a node.
func nodeFolder(p probe.Process) (dir string, is bool) {
	i := slices.Index(p.Args, "node")
	if i < 1 || i+1 >= len(p.Args) || p.Args[i+1] != "run" || !setup.IsOurs(p.Args[0]) {
		return "", false
	}
	dir = p.Getenv(settings.EnvDir)
	if _, err := os.Stat(dir); dir == "" || err != nil {
		dir = filepath.Join(p.Getenv("HOME"), ".claudemesh")
	}
	return dir, true
}
