//go:build unix

package node_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
)

// spent is the processor time of this process.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestFigureOfManyJoining has nodes join one mesh, one after the other, each with an
// agent, and prints what the processors did: 50 nodes with CLAUDEMESH_LONG=1, else a few.
func TestFigureOfManyJoining(t *testing.T) {
	count := 5
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		count = 50
	}
	began, before := time.Now(), spent(t)
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	ana.Agent("a")
	last := spent(t)
	for i := 1; i < count; i++ {
		n := nodetest.Start(t, fmt.Sprint("node", i))
		link := ana.Invite()
		n.Wait("let in", func() bool { // the machine may be too busy for the first try
			_, err := mesh.Join.Call(t.Context(), n.Ops(), nodetest.User(), mesh.JoinRequest{Link: link})
			return err == nil
		})
		n.Agent("a")
		if i%10 == 0 {
			t.Logf("%d nodes: %s of processor time for the last 10", i, (spent(t) - last).Round(time.Millisecond))
			last = spent(t)
		}
	}
	ana.Wait("aware of all", func() bool {
		return nodetest.Call(ana, mesh.List, mesh.ListRequest{}).Meshes[0].Members == count
	})
	t.Logf("%d nodes joined in %s, %s of processor time", count, time.Since(began).Round(time.Millisecond), (spent(t) - before).Round(time.Millisecond))
}
