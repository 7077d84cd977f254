package node_test

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// A node tells of itself what is so: its ports, the other's clock, its sessions and what
// they have reported.
func TestHealthBetweenNodes(t *testing.T) {
	ana, bo := pair(t)
	as := ana.Agent("a")
	linked(ana, as)
	bo.Agent("b")
	said := health.Speech{Protocol: "2025-11-25", Client: "x 1", Server: "1"}
	if _, err := health.Speak.Call(t.Context(), ana.Ops(), as, health.SpeakRequest{Speech: said}); err != nil {
		t.Fatal(err)
	}
	var h health.ShowResponse
	ana.Wait("the other's clock is known", func() bool {
		h = nodetest.Call(ana, health.Show, health.ShowRequest{})
		return len(h.Meshes) == 1 && h.Meshes[0].Clocks == 1
	})
	// Both are one machine's.
	if off := time.Duration(h.Meshes[0].Offset) * time.Millisecond; off.Abs() > 20*time.Second || h.Meshes[0].Twin {
		t.Errorf("the clock: %+v", h.Meshes[0])
	}
	for _, p := range h.Ports {
		if len(p.Actual) == 0 {
			t.Errorf("not listened on: %+v", p)
		}
	}
	if len(h.Ports) == 0 || h.LAN.State != health.LANOff || h.Peer == "" || h.Program == "" {
		t.Errorf("%+v", h)
	}
	if len(h.Sessions) != 1 || h.Sessions[0].ID != as.Session || h.Sessions[0].Speech != said || h.Sessions[0].Mode == "" {
		t.Errorf("sessions: %+v", h.Sessions)
	}
	if _, err := health.Speak.Call(t.Context(), ana.Ops(), op.Caller{User: true}, health.SpeakRequest{Speech: said}); op.CodeOf(err) != op.Denied {
		t.Errorf("a person speaks for a session: %v", err)
	}
}
