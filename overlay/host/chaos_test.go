package host_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/overlaytest"
)

// Whatever connections and meshes went through, afterwards every two connected members can talk, and
// nobody talks to who is not in the mesh.
func TestChaos(t *testing.T) {
	for seed := range uint64(4) {
		chaos(t, rand.New(rand.NewPCG(seed, 1)), seed)
	}
}

func chaos(t *testing.T, rng *rand.Rand, seed uint64) {
	net := overlaytest.New(t, 3, overlaytest.Options{})
	in := []bool{true, true, true}
	for _, n := range net.Nodes {
		n.Handle("echo/1", 8, echo)
	}
	for range 30 {
		i := rng.IntN(3)
		j := (i + 1 + rng.IntN(2)) % 3
		a, b := net.Nodes[i], net.Nodes[j]
		switch rng.IntN(6) {
		case 0, 1:
			go net.Dial(i, j)
		case 2:
			go net.Dial(i, j)
			go net.Dial(j, i)
		case 3:
			a.Disconnect(b.ID())
		case 4:
			if in[i] {
				a.Meshes.Leave(a.Mesh)
			} else {
				a.Meshes.Join(a.Mesh)
			}
			in[i] = !in[i]
			a.Reprove()
		case 5:
			go talk(a, b)
		}
		<-time.After(time.Duration(rng.IntN(8)) * time.Millisecond)
	}
	for i, a := range net.Nodes {
		for j, b := range net.Nodes {
			if i != j && in[i] && in[j] {
				overlaytest.Wait(t, "two members to talk", func() bool {
					return talk(a, b) || net.Dial(i, j) == nil && talk(a, b)
				})
			} else if i != j && talk(a, b) {
				t.Errorf("seed %d: %d talks to %d, of whom one is not in the mesh", seed, i, j)
			}
		}
		last := map[string]bool{}
		for _, e := range a.Mesh.Events() {
			if last[e.Peer.Peer.String()] == e.Proved {
				t.Fatalf("seed %d: events out of order: %v", seed, a.Mesh.Events())
			}
			last[e.Peer.Peer.String()] = e.Proved
		}
	}
}

func talk(a, b *overlaytest.Node) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	got, err := ping(ctx, a, b, "echo/1", "x")
	return err == nil && got == "x"
}
