package node_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
)

// follower collects what a session is told in passing.
type follower struct {
	mu      sync.Mutex // guards what follows
	welcome bool
	told    []string
}

func (f *follower) welcomed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.welcome
}

// follow has an agent's session listen until the test ends.
func follow(t *testing.T, n *nodetest.Node, id string) *follower {
	t.Helper()
	out := nodetest.Call(n, presence.Open, presence.OpenRequest{AgentSession: id})
	client := local.NewClient(local.ClientConfig{Socket: local.SocketPath(n.Dir), Token: out.Token})
	f := &follower{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = client.Follow(ctx, op.Caller{}, "", func(e op.Event) error { f.hear(e); return nil })
	})
	t.Cleanup(func() { cancel(); wg.Wait(); client.Close() })
	// What is told in passing is told to whoever listens then.
	n.Wait("in a session's ear", f.welcomed)
	return f
}

func (f *follower) hear(e op.Event) {
	if e.Topic == op.TopicWelcome {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.welcome = true
		return
	}
	var s op.System
	if e.Topic != op.TopicSystem || json.Unmarshal(e.Data, &s) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, s.Event+" "+s.Text)
}

func (f *follower) heard(event, name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.told, func(s string) bool { return strings.HasPrefix(s, event+" ") && strings.Contains(s, name) })
}

// What a session says of itself is seen at another node, and its coming and going told.
func TestPresenceBetweenNodes(t *testing.T) {
	ana, bo := pair(t)
	listener := follow(t, ana, "a")
	as := ana.Agent("a2")
	linked(ana, as)
	b := bo.Agent("b")
	ana.Wait("bo's session is told of", func() bool { return listener.heard("peer_joined", "bo") })
	nodetest.CallAs(bo, b, presence.JoinGroup, presence.JoinGroupRequest{Name: "front/css", Role: "lead"})
	nodetest.CallAs(bo, b, presence.SetStatus, presence.SetStatusRequest{Status: "dnd"})
	see := func(all bool) (presence.Peer, bool) {
		peers := nodetest.CallAs(ana, as, presence.Peers, presence.PeersRequest{All: all}).Meshes[0].Peers
		i := slices.IndexFunc(peers, func(p presence.Peer) bool { return p.Name == "bo" })
		if i < 0 {
			return presence.Peer{}, false
		}
		return peers[i], true
	}
	ana.Wait("bo's status and group", func() bool {
		p, ok := see(false)
		return ok && p.Status == "dnd" && p.StatusSource == "manual" && slices.Equal(p.Groups, []string{"@front/css:lead"})
	})
	nodetest.CallAs(bo, b, presence.SetVisible, presence.SetVisibleRequest{Visible: false})
	ana.Wait("bo hides", func() bool { _, ok := see(false); return !ok && listener.heard("peer_left", "bo") })
	nodetest.CallAs(bo, b, presence.SetVisible, presence.SetVisibleRequest{Visible: true})
	ana.Wait("bo shows itself", func() bool { _, ok := see(false); return ok && listener.heard("peer_returned", "bo") })
	nodetest.CallAs(bo, b, presence.Close, presence.CloseRequest{})
	ana.Wait("bo's card", func() bool {
		p, ok := see(true)
		return ok && p.State == "offline" && p.Session != "" && slices.Equal(p.Groups, []string{"@front/css:lead"})
	})
	bo.Stop()
	ana.Restart()
	ana.Wait("the card after a restart", func() bool { p, ok := see(true); return ok && p.State == "offline" && p.Session != "" })
}
