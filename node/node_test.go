package node_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// pair is two nodes in one mesh.
func pair(t *testing.T) (ana, bo *nodetest.Node) {
	t.Helper()
	ana, bo = nodetest.Start(t, "ana"), nodetest.Start(t, "bo")
	ana.Found("team")
	bo.Join(ana.Invite())
	return ana, bo
}

// sees waits until a node lists exactly these peers.
func sees(n *nodetest.Node, c op.Caller, want ...string) {
	var got []string
	n.Wait("aware of its peers", func() bool {
		got = nil
		for _, p := range nodetest.CallAs(n, c, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers {
			got = append(got, p.Name)
		}
		return slices.Equal(got, want)
	})
}

// send sends a message and returns its id.
func send(n *nodetest.Node, c op.Caller, to, text string) string {
	return nodetest.CallAs(n, c, message.Send, message.SendRequest{To: message.Targets{to}, Message: text}).ID
}

// reaches waits until a message is in a state.
func reaches(n *nodetest.Node, c op.Caller, id string, want message.State) {
	n.Wait("told that the message is "+string(want), func() bool {
		out := nodetest.CallAs(n, c, message.Status, message.StatusRequest{ID: id})
		return out.Recipients[0].State == want
	})
}

// bodies reads a caller's inbox.
func bodies(n *nodetest.Node, c op.Caller) []string {
	var out []string
	for _, m := range nodetest.CallAs(n, c, message.Check, message.CheckRequest{}).Messages {
		out = append(out, m.Body)
	}
	return out
}

func TestAMessageFromOneNodeToAnother(t *testing.T) {
	ana, bo := pair(t)
	from, to := ana.Agent("a"), bo.Agent("b")
	sees(ana, from, "ana", "bo")
	id := send(ana, from, "bo", "hello")
	reaches(ana, from, id, message.Delivered)
	got := nodetest.CallAs(bo, to, message.Check, message.CheckRequest{}).Messages
	if len(got) != 1 || got[0].Body != "hello" || got[0].FromName != "ana" || got[0].ID != id {
		t.Fatalf("bo got %+v", got)
	}
	reaches(ana, from, id, message.Seen)
}

func TestAMessageForSomebodyAwayWaits(t *testing.T) {
	ana, bo := pair(t)
	from := ana.Agent("a")
	bo.Stop()
	id := send(ana, from, "bo", "for later")
	ana.Restart()
	bo.Restart()
	reaches(ana, from, id, message.Delivered)
	to := bo.Agent("b")
	if got := bodies(bo, to); !slices.Equal(got, []string{"for later"}) {
		t.Errorf("bo got %q", got)
	}
	if got := bodies(bo, to); len(got) != 0 {
		t.Errorf("and again %q", got)
	}
}

func TestSessionsOfOneMemberKeepTheirMailApart(t *testing.T) {
	ana, bo := pair(t)
	one, two := ana.Agent("a1"), ana.Agent("a2")
	asker := bo.Agent("b1")
	sees(bo, asker, "ana", "ana-2", "bo")
	reaches(bo, asker, send(bo, asker, "ana-2", "for two"), message.Delivered)
	reaches(bo, asker, send(bo, asker, "ana", "for one"), message.Delivered)
	send(ana, one, "ana-2", "between us")
	if got := bodies(ana, one); !slices.Equal(got, []string{"for one"}) {
		t.Errorf("one read %q", got)
	}
	if got := bodies(ana, two); !slices.Equal(got, []string{"for two", "between us"}) {
		t.Errorf("two read %q", got)
	}
}

// watch follows a session's feed until the test ends.
func watch(t *testing.T, n *nodetest.Node, session presence.OpenResponse) (seen func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	client := n.Client().As(session.Token)
	wg.Go(func() {
		_ = client.Follow(ctx, op.Caller{}, "", func(e op.Event) error {
			if e.Topic == op.TopicSystem { // passing: who came and went
				return nil
			}
			text := e.Topic
			if e.Topic == op.TopicMessage {
				var m op.Message
				if err := json.Unmarshal(e.Data, &m); err != nil {
					return err
				}
				text += " " + m.Body
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, text)
			return nil
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait(); client.Close() })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

// A feed is one way through restarts of the node: nothing twice, nothing missing.
func TestPushesThroughARestart(t *testing.T) {
	ana, bo := pair(t)
	from := ana.Agent("a")
	session := nodetest.Call(bo, presence.Open, presence.OpenRequest{AgentSession: "b"})
	seen := watch(t, bo, session)
	bo.Wait("welcomed", func() bool { return len(seen()) == 1 })
	reaches(ana, from, send(ana, from, "bo", "one"), message.Delivered)
	bo.Wait("pushed", func() bool { return len(seen()) == 2 })
	bo.Restart()
	reaches(ana, from, send(ana, from, "bo", "two"), message.Delivered)
	bo.Wait("pushed again", func() bool { return len(seen()) >= 3 })
	if want := []string{"welcome", "message one", "message two"}; !slices.Equal(seen(), want) {
		t.Errorf("bo saw %v, want %v", seen(), want)
	}
	out := nodetest.CallAs(bo, op.Caller{Session: session.Session}, message.Check, message.CheckRequest{})
	if len(out.Messages) != 0 || len(out.Unconfirmed) != 2 {
		t.Errorf("check gave %+v", out)
	}
}

func TestAReplyGoesToTheSessionThatAsked(t *testing.T) {
	ana, bo := pair(t)
	one, two := ana.Agent("a1"), ana.Agent("a2")
	to := bo.Agent("b")
	sees(bo, to, "ana", "ana-2", "bo")
	question := send(ana, two, "bo", "which way?")
	reaches(ana, two, question, message.Delivered)
	got := nodetest.CallAs(bo, to, message.Check, message.CheckRequest{}).Messages
	answer := nodetest.CallAs(bo, to, message.Send, message.SendRequest{
		To: message.Targets{got[0].FromName}, Message: "left", ReplyTo: got[0].ID,
	})
	reaches(bo, to, answer.ID, message.Delivered)
	if mail := bodies(ana, one); len(mail) != 0 {
		t.Errorf("the other session read %q", mail)
	}
	if mail := bodies(ana, two); !slices.Equal(mail, []string{"left"}) {
		t.Errorf("the asker read %q", mail)
	}
}

// Whom ana admits, bo learns of without asking, and they find each other.
func TestAThirdMemberMeetsEverybody(t *testing.T) {
	ana, bo := pair(t)
	bs := bo.Agent("b")
	cy := nodetest.Start(t, "cy")
	cy.Join(ana.Invite())
	cs := cy.Agent("c")
	sees(bo, bs, "bo", "cy")
	sees(cy, cs, "bo", "cy")
	ana.Stop() // and they do not need her to talk
	reaches(cy, cs, send(cy, cs, "bo", "hi bo"), message.Delivered)
	if got := bodies(bo, bs); !slices.Equal(got, []string{"hi bo"}) {
		t.Errorf("bo got %q", got)
	}
}

func TestWhoLeavesIsGoneForEverybody(t *testing.T) {
	ana, bo := pair(t)
	from := ana.Agent("a")
	bo.Agent("b")
	sees(ana, from, "ana", "bo")
	out := nodetest.Call(bo, mesh.Leave, mesh.LeaveRequest{Mesh: "team"})
	if out.Told != 1 {
		t.Errorf("told %d nodes", out.Told)
	}
	sees(ana, from, "ana")
	_, err := message.Send.Call(t.Context(), ana.Ops(), from, message.SendRequest{To: message.Targets{"bo"}, Message: "still there?"})
	if op.CodeOf(err) != op.NotFound {
		t.Errorf("sending to bo: %v", err)
	}
	if n := len(nodetest.Call(bo, mesh.List, mesh.ListRequest{}).Meshes); n != 0 {
		t.Errorf("bo is in %d meshes", n)
	}
}

func TestAnAgentMayNotDecideWhoIsIn(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	c := ana.Agent("a")
	if _, err := mesh.Invite.Call(t.Context(), ana.Ops(), c, mesh.InviteRequest{}); op.CodeOf(err) != op.Denied {
		t.Errorf("an agent's session made an invite: %v", err)
	}
	if _, err := presence.Peers.Call(t.Context(), ana.Ops(), op.Caller{Member: "x", Mesh: "y"}, presence.PeersRequest{}); op.CodeOf(err) != op.NotFound {
		t.Errorf("another node listed peers: %v", err)
	}
}
