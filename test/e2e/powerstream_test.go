package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/powercut"
)

// What is acknowledged. Behind the mark stand: the message's id; who was shown it and
// its id; whose session it is and its key; whose session and the number of its change;
// who wrote and the number of the write, which the writer was told, or another node has
// seen.
const (
	ackSent      = "sent "
	ackDelivered = "delivered "
	ackShown     = "shown "
	ackSession   = "session "
	ackStatus    = "status "
	ackState     = "state "
	ackSeen      = "seen "
)

// marked lists what was acknowledged with a mark.
func marked(acks []string, mark string) []string {
	var out []string
	for _, a := range acks {
		if rest, ok := strings.CutPrefix(a, mark); ok {
			out = append(out, rest)
		}
	}
	return out
}

// The sessions of both: the first of each is in the group red.
var cutSessions = map[string][]string{anaName: {"uno", "due"}, boName: {"one", "two"}}

// terminal reads as the person.
const terminal = "terminal"

// cutTarget is whom message n is for, and who has it at ana's and at bo's node: all of
// a list, or one of a list that begins with "any".
func cutTarget(n int) (to message.Targets, at map[string][]string) {
	switch n % 5 {
	case 0:
		return message.Targets{boName}, map[string][]string{boName: {"any", "one", "two", terminal}}
	case 1:
		return message.Targets{"one"}, map[string][]string{boName: {"one"}}
	case 2:
		return message.Targets{"@all"}, map[string][]string{anaName: {"uno", "due"}, boName: {"one", "two"}}
	case 3:
		return message.Targets{"@red"}, map[string][]string{anaName: {"uno"}, boName: {"one"}}
	}
	return message.Targets{"two", "@red"}, map[string][]string{anaName: {"uno"}, boName: {"one", "two"}}
}

// cutStatus is the status of a session after change n, and the group that comes with
// it. Those here do not end by themselves.
func cutStatus(n int) (status, group string) {
	return []string{"dnd", "idle"}[n%2], fmt.Sprint("team-", n)
}

// cutKey is the key of write n.
func cutKey(who string, n int) string { return fmt.Sprintf("%s/%d", who, n%7) }

// cutStream sends messages, writes state, and acknowledges what was promised.
type cutStream struct {
	dir     string
	early   bool
	homes   map[string]*harness.Home
	clients map[string]*local.Client // by session
	random  *rand.Rand
	ids     []string // of all messages

	writes, seen, changes map[string]int // by home: how many there were
}

func newCutStream(dir string, early bool, ana, bo *harness.Home) *cutStream {
	return &cutStream{
		dir: dir, early: early, homes: map[string]*harness.Home{anaName: ana, boName: bo},
		clients: map[string]*local.Client{}, random: rand.New(rand.NewPCG(1, 1)), ids: cutIDs(),
		writes: map[string]int{}, seen: map[string]int{}, changes: map[string]int{},
	}
}

// cutIDs are the ids of all messages: the same in each child.
func cutIDs() (ids []string) {
	random := rand.New(rand.NewPCG(1, 2))
	for range stream {
		ids = append(ids, newID(random))
	}
	return ids
}

func (c *cutStream) run(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	var open []string
	for n := range c.ids {
		if err := c.step(ctx, n); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		open = append(open, c.ids[n])
		for len(open) >= atOnce {
			var err error
			if open, err = c.settle(ctx, open); err != nil {
				return err
			}
		}
	}
	for len(open) > 0 {
		var err error
		if open, err = c.settle(ctx, open); err != nil {
			return err
		}
	}
	return nil
}

// open opens the sessions and waits until ana sees those of bo.
func (c *cutStream) open(ctx context.Context) error {
	for name, sessions := range cutSessions {
		for i, s := range sessions {
			client, key, err := openSession(ctx, c.homes[name], s)
			if err != nil {
				return err
			}
			c.clients[s] = client
			if err := c.ack(ackSession + s + " " + key); err != nil {
				return err
			}
			if i == 0 {
				if _, err := presence.JoinGroup.Call(ctx, client, op.Caller{}, presence.JoinGroupRequest{Name: "red"}); err != nil {
					return err
				}
			}
		}
	}
	return harness.Until(ctx, func() (bool, any, error) {
		out, err := presence.Groups.Call(ctx, c.homes[anaName].API(), op.Caller{}, presence.GroupsRequest{})
		if err != nil {
			return false, nil, err
		}
		peers, err := presence.Peers.Call(ctx, c.homes[anaName].API(), op.Caller{}, presence.PeersRequest{})
		text := out.Text() + "\n" + peers.Text()
		return len(out.Groups) == 1 && len(out.Groups[0].Members) == 2 && len(peers.Meshes[0].Peers) == 4, text, err
	})
}

// openSession opens the session of an agent of that name and returns who speaks for
// it, and its key.
func openSession(ctx context.Context, h *harness.Home, name string) (*local.Client, string, error) {
	out, err := presence.Open.Call(ctx, h.API(), op.Caller{}, presence.OpenRequest{AgentSession: name, Name: name})
	if err != nil {
		return nil, "", err
	}
	client := h.API().As(out.Token)
	who, err := presence.Whoami.Call(ctx, client, op.Caller{}, presence.WhoamiRequest{})
	if err != nil {
		return nil, "", err
	}
	if len(who.Meshes) != 1 || who.Meshes[0].Name != name {
		return nil, "", fmt.Errorf("session %s is %+v", name, who)
	}
	return client, who.Meshes[0].SessionKey, nil
}

// step is one message, writes of shared state, and now and then more.
func (c *cutStream) step(ctx context.Context, n int) error {
	if err := c.ackEarly(n); err != nil {
		return err
	}
	if err := c.send(ctx, n); err != nil {
		return err
	}
	for who := range c.homes {
		if err := c.write(ctx, who); err != nil {
			return err
		}
		if n%5 == 4 {
			if err := c.change(ctx, who); err != nil {
				return err
			}
		}
	}
	if n%20 == 19 {
		return c.read(ctx)
	}
	return nil
}

// ack acknowledges what is so, unless the child has done it too early.
func (c *cutStream) ack(what string) error {
	if c.early {
		return nil
	}
	return powercut.Ack(c.dir, what)
}

// ackEarly acknowledges what is not so yet.
func (c *cutStream) ackEarly(n int) error {
	first := n + ahead
	if n == 0 {
		first = 0
	}
	for i := first; c.early && i <= min(n+ahead, len(c.ids)-1); i++ {
		for _, what := range []string{ackSent + c.ids[i], ackDelivered + c.ids[i], fmt.Sprint(ackState, anaName, " ", i), fmt.Sprint(ackState, boName, " ", i)} {
			if err := powercut.Ack(c.dir, what); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cutStream) send(ctx context.Context, n int) error {
	id := c.ids[n]
	to, _ := cutTarget(n)
	out, err := message.Send.Call(ctx, c.homes[anaName].API(), op.Caller{}, message.SendRequest{
		To: to, Message: fmt.Sprintf("message %d %s", n, strings.Repeat(".", c.random.IntN(3000))), ID: id,
	})
	if err != nil {
		return err
	}
	for _, t := range out.Targets {
		if out.ID != id || !t.OK {
			return fmt.Errorf("send: %+v", out)
		}
	}
	return c.ack(ackSent + id)
}

// write sets a key at one node, and asks the other what it has of it by now.
func (c *cutStream) write(ctx context.Context, who string) error {
	n := c.writes[who]
	c.writes[who]++
	_, err := state.Set.Call(ctx, c.homes[who].API(), op.Caller{}, state.SetRequest{Key: cutKey(who, n), Value: json.RawMessage(fmt.Sprint(n))})
	if err != nil {
		return err
	}
	if err := c.ack(fmt.Sprint(ackState, who, " ", n)); err != nil {
		return err
	}
	other := map[string]string{anaName: boName, boName: anaName}[who]
	for i := max(c.seen[who], n-3); i <= n; i++ {
		got, err := stateAt(ctx, c.homes[other], cutKey(who, i))
		if err != nil {
			return err
		}
		if got >= i {
			c.seen[who] = i + 1
			if err := c.ack(fmt.Sprint(ackSeen, who, " ", i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// stateAt is the number in a key at a node, -1 if it is not set.
func stateAt(ctx context.Context, h *harness.Home, key string) (n int, err error) {
	out, err := state.Get.Call(ctx, h.API(), op.Caller{}, state.GetRequest{Key: key})
	if op.CodeOf(err) == op.NotFound {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return n, json.Unmarshal(out.JSON, &n)
}

// change gives the second session of a home another status and group.
func (c *cutStream) change(ctx context.Context, who string) error {
	n, s := c.changes[who], cutSessions[who][1]
	c.changes[who]++
	status, group := cutStatus(n)
	if _, err := presence.SetStatus.Call(ctx, c.clients[s], op.Caller{}, presence.SetStatusRequest{Status: status}); err != nil {
		return err
	}
	if _, err := presence.JoinGroup.Call(ctx, c.clients[s], op.Caller{}, presence.JoinGroupRequest{Name: group}); err != nil {
		return err
	}
	if err := c.ack(fmt.Sprint(ackStatus, s, " ", n)); err != nil || n == 0 {
		return err
	}
	_, group = cutStatus(n - 1)
	_, err := presence.LeaveGroup.Call(ctx, c.clients[s], op.Caller{}, presence.LeaveGroupRequest{Name: group})
	return err
}

// settle waits until at least one of the open messages is delivered.
func (c *cutStream) settle(ctx context.Context, open []string) (left []string, err error) {
	err = harness.Until(ctx, func() (bool, any, error) {
		left = left[:0]
		for _, id := range open {
			out, err := message.Status.Call(ctx, c.homes[anaName].API(), op.Caller{}, message.StatusRequest{ID: id})
			if err != nil {
				return false, nil, err
			}
			if !out.Delivered {
				left = append(left, id)
				continue
			}
			if err := c.ack(ackDelivered + id); err != nil {
				return false, nil, err
			}
		}
		return len(left) < len(open), len(left), nil
	})
	return left, err
}

// read has all read what waits at both nodes.
func (c *cutStream) read(ctx context.Context) error {
	for name, h := range c.homes {
		readers := map[string]*local.Client{terminal: h.API()}
		for _, s := range cutSessions[name] {
			readers[s] = c.clients[s]
		}
		for reader, client := range readers {
			out, err := message.Check.Call(ctx, client, op.Caller{}, message.CheckRequest{Limit: 20})
			if err != nil {
				return err
			}
			for _, m := range out.Messages {
				if err := powercut.Ack(c.dir, ackShown+name+"/"+reader+" "+m.ID); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
