package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// shows waits until a node has as many shared keys.
func shows(n *nodetest.Node, c op.Caller, count int) {
	n.Wait(fmt.Sprintf("in possession of %d keys", count), func() bool {
		out, err := state.List.Call(context.Background(), n.Ops(), c, state.ListRequest{})
		return err == nil && out.Total == count
	})
}

// What is written while both are connected comes by gossip, not by the exchange of
// every minute.
func TestARecordIsThereAtOnce(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	sees(ana, as, "ana", "bo")
	set(ana, as, "first", "0") // the neighbours have compared once this is there
	holds(bo, bs, "first", "0")
	late := 0
	for i := range 20 {
		key := fmt.Sprintf("k%d", i)
		set(ana, as, key, "1")
		began := time.Now()
		holds(bo, bs, key, "1")
		if time.Since(began) > 5*time.Second {
			late++ // the machine may be busy for a while
		}
	}
	if late > 5 {
		t.Errorf("%d of 20 keys came late", late)
	}
}

func TestANodeThatWasAwayCatchesUp(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	set(bo, bs, "by-bo", "1")
	holds(ana, as, "by-bo", "1")
	bo.Stop()
	for i := range 50 {
		set(ana, as, fmt.Sprintf("k%d", i), "1")
	}
	set(ana, as, "by-bo", "2")
	bo.Restart()
	bs = bo.Agent("b")
	shows(bo, bs, 51)
	holds(bo, bs, "by-bo", "2")
}

func TestANewcomerGetsEverythingFromWhoeverIsThere(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	for i := range 20 {
		set(ana, as, fmt.Sprintf("a%d", i), "1")
		set(bo, bs, fmt.Sprintf("b%d", i), "1")
	}
	shows(ana, as, 40)
	cy := nodetest.Start(t, "cy")
	link := ana.Invite()
	bo.Stop()
	cy.Join(link)
	shows(cy, cy.Agent("c"), 40)
}

// What a leaver wrote stays, also for those who come later; what those wrote who hold
// an older log is taken over once they know better.
func TestWhatALeaverWroteStays(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	set(bo, bs, "by-bo", `"stays"`)
	holds(ana, as, "by-bo", `"stays"`)
	nodetest.Call(bo, mesh.Leave, mesh.LeaveRequest{Mesh: "team"})
	ana.Wait("through with the leave", func() bool { got := info(ana); return got.Members == 1 && !got.KeyDue })
	holds(ana, as, "by-bo", `"stays"`)
	cy := nodetest.Start(t, "cy")
	cy.Join(ana.Invite())
	holds(cy, cy.Agent("c"), "by-bo", `"stays"`)
}

// Two nodes that write at the same time, and one that is stopped again and again, end
// with the same.
func TestConcurrentWritersEndAlike(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	for i := range 10 {
		set(ana, as, "same", fmt.Sprint(2*i))
		set(bo, bs, "same", fmt.Sprint(2*i+1))
		if i == 5 {
			bo.Restart()
			bs = bo.Agent("b")
		}
	}
	var a, b string
	ana.Wait("of one mind with bo", func() bool {
		x, err1 := state.Get.Call(context.Background(), ana.Ops(), as, state.GetRequest{Key: "same"})
		y, err2 := state.Get.Call(context.Background(), bo.Ops(), bs, state.GetRequest{Key: "same"})
		a, b = string(x.JSON), string(y.JSON)
		return err1 == nil && err2 == nil && a == b && x.By == y.By
	})
}

// A store put back to an older copy: nothing written after the copy is lost while a
// peer has it, nor what is written before the peers are met again.
func TestAStorePutBackLosesNothingThatAPeerHas(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	set(bo, bs, "before", "1")
	holds(ana, as, "before", "1")
	bo.Stop()
	path := filepath.Join(bo.Dir, "node.db")
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bo.Restart()
	bs = bo.Agent("b")
	for i := range 10 {
		set(bo, bs, fmt.Sprintf("after%d", i), "1")
	}
	set(bo, bs, "before", "2")
	shows(ana, as, 11)
	holds(ana, as, "before", "2")
	bo.Stop()
	if err := os.WriteFile(path, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	bo.Restart()
	bs = bo.Agent("b")
	set(bo, bs, "meanwhile", "1")
	for _, c := range []struct {
		n *nodetest.Node
		c op.Caller
	}{{ana, as}, {bo, bs}} {
		holds(c.n, c.c, "meanwhile", "1")
		holds(c.n, c.c, "after9", "1")
		holds(c.n, c.c, "before", "2")
		shows(c.n, c.c, 12)
	}
	set(bo, bs, "then", "1")
	holds(ana, as, "then", "1")
	reaches(ana, as, send(ana, as, "bo", "still reachable"), message.Delivered)
}
