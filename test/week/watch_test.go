package week

import (
	"context"
	"encoding/json"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// check decodes an attestation and verifies its signature, once for each session's
// newest.
func (w *world) check(raw []byte) (trust.Attest, error) {
	stmt, err := ident.ParseStatement(raw, trust.MaxBody)
	if err != nil {
		return trust.Attest{}, err
	}
	a, err := trust.DecodeAttest(stmt.Body)
	if err != nil {
		return trust.Attest{}, err
	}
	w.mu.Lock()
	known, ok := w.proofs[a.Session]
	w.mu.Unlock()
	if ok && known.Seq == a.Seq {
		return known, nil
	}
	if a, err = trust.CheckAttest(meshID, stmt); err != nil {
		return trust.Attest{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ok || a.Newer(known) {
		w.proofs[a.Session] = a
		w.fresh++
	}
	return a, nil
}

// judge looks at a beacon as it is sent: each attestation in it must hold by the
// clock that it tells.
func (n *node) judge(raw []byte) {
	stmt, err := ident.ParseStatement(raw, roster.MaxBeacon)
	if err != nil {
		n.fault("%s sends a beacon that is none: %v", n.name, err)
		return
	}
	b, err := roster.Decode(stmt.Body)
	if err != nil {
		n.fault("%s sends a beacon that is none: %v", n.name, err)
		return
	}
	for _, c := range b.Cards {
		a, err := n.check(c.Attest)
		if err == nil {
			err = a.Allows(b.Clock, 0)
		}
		if err != nil {
			n.fault("%s sends an attestation that does not hold", n.name)
		}
	}
}

// agent is an agent that runs all the time: its MCP server opens its session at each
// start of the node and stays attached.
func (n *node) agent(id string) {
	for {
		l, changed := n.runs()
		if l != nil {
			s, err := presence.Open.Call(l.ctx, l.ops, op.Caller{User: true}, presence.OpenRequest{AgentSession: id, Name: id})
			if err == nil {
				n.hear(l, s.Session)
				_, err = l.presence.Attach(op.Caller{Session: s.Session}, func() { n.fault("%s is dropped", id) })
			}
			if err != nil && l.ctx.Err() == nil {
				n.fault("%s cannot attach: %v", id, err)
			}
		}
		select {
		case <-changed:
		case <-n.end:
			return
		}
		// A server that has lost its node tries again with pauses.
		pause := time.NewTimer(2 * time.Second)
		select {
		case <-pause.C:
		case <-n.end:
			return
		}
	}
}

// hear counts the events that a session is told of others, until the node ends.
func (n *node) hear(l *life, session string) {
	events := l.presence.Listen(session)
	l.run("events", func(ctx context.Context) error {
		defer events.Close()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-events.Told():
			}
			for _, e := range events.Take() {
				var s op.System
				if err := json.Unmarshal(e.Data, &s); err != nil {
					return err
				}
				n.mu.Lock()
				n.told[s.Event]++
				n.mu.Unlock()
			}
		}
	})
}

// sightings counts what one node has seen of the others' sessions: how often they
// came, went and came back. It belongs to one goroutine.
type sightings struct {
	there                  map[string]bool
	joined, left, returned int
}

func newSightings() *sightings { return &sightings{there: make(map[string]bool)} }

// watch looks at the peers now and then, as long as the node runs.
func (n *node) watch() {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l, _ := n.runs(); l != nil {
				n.seen.look(n.peers())
			}
		case <-n.end:
			return
		}
	}
}

// look compares with what was seen before. Who is away has not gone.
func (s *sightings) look(peers map[string]string) {
	for name, state := range peers {
		was, known := s.there[name]
		is := state != "offline"
		switch {
		case !known && is:
			s.joined++
		case known && was && !is:
			s.left++
		case known && !was && is:
			s.returned++
		}
		if known || is {
			s.there[name] = is
		}
	}
	for name, was := range s.there {
		if _, listed := peers[name]; !listed && was {
			s.left++
			s.there[name] = false
		}
	}
}

// peers are the states of all sessions of others, by name; nil while the node is
// down.
func (n *node) peers() map[string]string {
	l, _ := n.runs()
	if l == nil {
		return nil
	}
	out, err := presence.Peers.Call(l.ctx, l.ops, op.Caller{User: true}, presence.PeersRequest{All: true})
	if err != nil {
		if l.ctx.Err() == nil {
			n.fault("%s cannot list peers: %v", n.name, err)
		}
		return nil
	}
	states := make(map[string]string)
	for _, m := range out.Meshes {
		for _, p := range m.Peers {
			if p.Session != "" && p.Own == "" {
				states[p.Name] = p.State
			}
		}
	}
	return states
}
