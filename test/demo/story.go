package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/test/harness"
)

// The two, and their mesh.
const (
	ana      = "ana"
	bo       = "bo"
	meshName = "atelier"
)

// cast is who takes part.
type cast struct {
	*stage
	anaHome, boHome   *harness.Home
	anaAgent, boAgent *harness.Agent
	waiting           string // id of the message that bo missed
}

// play is the whole story. The stage knows what was being done when it fails.
func play(ctx context.Context, s *stage, w *harness.World) error {
	c := &cast{stage: s}
	s.doing = "making two homes"
	var err error
	if c.anaHome, err = w.Home(ana); err != nil {
		return err
	}
	if c.boHome, err = w.Home(bo); err != nil {
		return err
	}
	s.term.Line("Two people, a node each, no server in between. All of it happens now, on this machine.")
	for _, scene := range []func(context.Context) error{c.meet, c.arrive, c.ask, c.away, c.back} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	s.term.Blank()
	s.term.Line("✔ Two nodes, no server, four messages, each delivered once and answered for: %s in all.",
		span(time.Since(s.began)))
	return nil
}

// meet: a node each, a mesh, an invite, a join.
func (c *cast) meet(ctx context.Context) error {
	c.open("ana makes a mesh, bo joins it by a link")
	c.types(ana, "node run")
	c.types(bo, "node run")
	if err := both(func() error { return c.anaHome.Start(ctx) }, func() error { return c.boHome.Start(ctx) }); err != nil {
		return err
	}
	var made mesh.NewResponse
	c.types(ana, "new "+meshName)
	if err := c.anaHome.JSON(ctx, &made, "new", meshName, "--as", ana); err != nil {
		return err
	}
	c.prints(ana, fmt.Sprintf("mesh %s, id %s, %s is its %s", made.Slug, made.Info.ID, made.Member, made.Role))
	var invite mesh.InviteResponse
	c.types(ana, "invite")
	if err := c.anaHome.JSON(ctx, &invite, "invite"); err != nil {
		return err
	}
	c.prints(ana, cut(invite.Link))
	var joined mesh.JoinResponse
	c.types(bo, "join "+cut(invite.Link))
	if err := c.boHome.JSON(ctx, &joined, "join", invite.Link, "--as", bo); err != nil {
		return err
	}
	c.prints(bo, fmt.Sprintf("in mesh %s as %s, invited by %s", joined.Slug, joined.Member, joined.InvitedBy))
	c.close("from no node to two members of one mesh")
	return nil
}

// arrive: each starts an agent; the agents see each other.
func (c *cast) arrive(ctx context.Context) error {
	c.open("Each starts an agent, which starts its MCP server")
	start := func(h *harness.Home, into **harness.Agent) func() error {
		return func() (err error) {
			if *into, err = h.Agent(ctx, harness.AgentConfig{Session: "demo-" + h.Name}); err != nil {
				return err
			}
			// Its place in the mesh is told to it once channels may come.
			_, err = (*into).Await(ctx, 0, func(n harness.Channel) bool { return n.Kind() == "welcome" })
			return err
		}
	}
	if err := both(start(c.anaHome, &c.anaAgent), start(c.boHome, &c.boAgent)); err != nil {
		return err
	}
	for _, who := range []string{ana, bo} {
		a := c.agent(who)
		c.types(who, "mcp")
		c.gets(who, fmt.Sprintf("%d tools, ready after %s", len(a.Tools), span(a.Ready)))
	}
	c.gets("", strings.Join(c.anaAgent.Tools, ", "))
	c.calls(ana, "list_peers", "{}")
	var peers presence.PeersResponse
	err := harness.Until(ctx, func() (bool, any, error) {
		var err error
		peers, err = harness.Tool[presence.PeersResponse](ctx, c.anaAgent, "list_peers", nil)
		return online(peers, bo), peers, err
	})
	if err != nil {
		return err
	}
	for _, p := range peers.Meshes[0].Peers {
		c.gets(ana, describe(p))
	}
	c.close("2 s of it are the grace that agents need before channels")
	return nil
}

// describe is a peer in a few words.
func describe(p presence.Peer) string {
	if p.Own == "this" {
		return fmt.Sprintf("%-4s %s, this session", p.Name, p.Status)
	}
	if p.RTT == "" {
		return fmt.Sprintf("%-4s %s, %s", p.Name, p.Status, p.Path)
	}
	return fmt.Sprintf("%-4s %s, %s, %s away", p.Name, p.Status, p.Path, p.RTT)
}

func online(r presence.PeersResponse, name string) bool {
	for _, m := range r.Meshes {
		for _, p := range m.Peers {
			if p.Name == name && p.State == "online" {
				return true
			}
		}
	}
	return false
}

// ask: a message, its push, a reply, and what became of it.
func (c *cast) ask(ctx context.Context) error {
	c.open("ana's agent asks, bo's agent answers")
	question, err := c.send(ctx, ana, bo, "Which branch holds the parser fix?", "")
	if err != nil {
		return err
	}
	if err := c.hear(ctx, bo, question.ID); err != nil {
		return err
	}
	answer, err := c.send(ctx, bo, ana, "fix/parser, green since noon.", question.ID)
	if err != nil {
		return err
	}
	if err := c.hear(ctx, ana, answer.ID); err != nil {
		return err
	}
	if err := c.fate(ctx, question.ID, message.Seen); err != nil {
		return err
	}
	c.close("there and back")
	return nil
}

// away: bo's node goes; a message to it waits.
func (c *cast) away(ctx context.Context) error {
	c.open("bo closes the laptop; ana does not wait")
	c.types(bo, "node down")
	node := c.boHome.Node()
	if err := c.boHome.JSON(ctx, &struct{}{}, "node", "down"); err != nil {
		return err
	}
	if err := node.Wait(ctx); err != nil {
		return err
	}
	sent, err := c.send(ctx, ana, bo, "I have merged it. Can you tag the release?", "")
	if err != nil {
		return err
	}
	if err := c.fate(ctx, sent.ID, message.Queued); err != nil {
		return err
	}
	c.waiting = sent.ID
	c.close("safe on ana's disk")
	return nil
}

// back: bo's node returns; the agent, which never stopped, gets the message.
func (c *cast) back(ctx context.Context) error {
	c.open("bo is back; the agent had stayed open")
	c.types(bo, "node run")
	if err := c.boHome.Start(ctx); err != nil {
		return err
	}
	if err := c.hear(ctx, bo, c.waiting); err != nil {
		return err
	}
	if err := c.fate(ctx, c.waiting, message.Delivered); err != nil {
		return err
	}
	answer, err := c.send(ctx, bo, ana, "Tagged v1.4.0.", c.waiting)
	if err != nil {
		return err
	}
	if err := c.hear(ctx, ana, answer.ID); err != nil {
		return err
	}
	if err := c.fate(ctx, c.waiting, message.Seen); err != nil {
		return err
	}
	c.close("from the start of the node to the last receipt")
	return nil
}
