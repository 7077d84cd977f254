package node

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// alone runs a node whose insides the test may reach.
func alone(t *testing.T, name string) *Node {
	t.Helper()
	dir, err := os.MkdirTemp("", "cm")
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{Dir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, DisplayName: name, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("node %s: %v", name, err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	until(t, "ready", func() bool { return n.ready.Load() })
	return n
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	over := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-over:
			t.Fatalf("not %s", what)
		case <-tick.C:
		}
	}
}

// asked performs an operation that must work.
func asked[In, Out any](t *testing.T, n *Node, c op.Caller, s op.Spec[In, Out], in In) Out {
	t.Helper()
	out, err := s.Call(t.Context(), n.Ops(), c, in)
	if err != nil {
		t.Fatalf("%s: %v", s.ID, err)
	}
	return out
}

// The own node refuses a session what it was opened without.
func TestASessionDoesOnlyWhatItWasOpenedFor(t *testing.T) {
	ana := alone(t, "ana")
	user := op.Caller{User: true}
	asked(t, ana, user, mesh.New, mesh.NewRequest{Name: "team"})
	open := func(rights string) op.Caller {
		out := asked(t, ana, user, presence.Open, presence.OpenRequest{AgentSession: "agent " + rights, Rights: rights})
		return op.Caller{Session: out.Session}
	}
	free := open("")
	to := asked(t, ana, free, presence.Whoami, presence.WhoamiRequest{}).Meshes[0].SessionKey
	type try func(op.Caller) error
	tries := map[string]try{
		"send": func(c op.Caller) error {
			_, err := message.Send.Call(t.Context(), ana.Ops(), c, message.SendRequest{To: message.Targets{to}, Message: "x"})
			return err
		},
		"broadcast": func(c op.Caller) error {
			_, err := message.Send.Call(t.Context(), ana.Ops(), c, message.SendRequest{To: message.Targets{"@all"}, Message: "x"})
			return err
		},
		"state-write": func(c op.Caller) error {
			_, err := state.Set.Call(t.Context(), ana.Ops(), c, state.SetRequest{Key: "k", Value: json.RawMessage("1")})
			return err
		},
		"state-read": func(c op.Caller) error {
			_, err := state.List.Call(t.Context(), ana.Ops(), c, state.ListRequest{})
			return err
		},
		"profile": func(c op.Caller) error {
			_, err := presence.Summary.Call(t.Context(), ana.Ops(), c, presence.SummaryRequest{Summary: "x"})
			return err
		},
	}
	for rights, may := range map[string][]string{
		"none":               nil,
		"send":               {"send"},
		"broadcast":          {"broadcast"},
		"state":              {"state-read", "state-write"},
		"send,profile,state": {"send", "profile", "state-read", "state-write"},
		"all":                {"send", "broadcast", "state-read", "state-write", "profile"},
	} {
		c := open(rights)
		for what, do := range tries {
			err := do(c)
			if want := slices.Contains(may, what); want != (err == nil) || err != nil && (op.CodeOf(err) != op.Denied || op.AsError(err).Hint == "") {
				t.Errorf("rights %s, %s: %v", rights, what, err)
			}
		}
	}
	_, err := presence.Open.Call(t.Context(), ana.Ops(), user, presence.OpenRequest{AgentSession: "y", Rights: "fly"})
	if op.CodeOf(err) != op.Invalid {
		t.Errorf("a right that is none: %v", err)
	}
}

// A modified client sends what its session has no right to, past its own node's
// refusals: the recipient's node refuses it.
func TestWhoeverSendsWithoutTheRightIsRefused(t *testing.T) {
	ana, bo := alone(t, "ana"), alone(t, "bo")
	user := op.Caller{User: true}
	asked(t, ana, user, mesh.New, mesh.NewRequest{Name: "team"})
	link := asked(t, ana, user, mesh.Invite, mesh.InviteRequest{}).Link
	asked(t, bo, user, mesh.Join, mesh.JoinRequest{Link: link})
	reader := op.Caller{Session: asked(t, ana, user, presence.Open, presence.OpenRequest{AgentSession: "a"}).Session}
	at, home := bo.meshes.All()[0], ana.meshes.All()[0].Self()
	until(t, "connected", func() bool { path, _ := bo.net.Path(at.ID(), home); return path != "unreachable" })

	// post sends a message by hand, from a session vouched for with rights.
	n := byte(0)
	post := func(body string, rights trust.Rights, many bool) {
		t.Helper()
		n++
		session, err := ident.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		attest, _ := at.Attest(session.Public(), "bo", rights)
		m := letter.Message{
			ID: letter.ID{1, n}, Origin: at.Self(), Session: session.Public(), Reach: letter.Direct, To: []ident.PublicKey{home},
			Priority: delivery.Next, Body: body, Cause: letter.CauseOf(at.Self(), letter.ID{1, n}),
			Created: time.UnixMilli(time.Now().UnixMilli()), TTL: time.Hour,
		}
		index := 0
		if many {
			m.Reach, m.To, m.Targets, index = letter.Mesh, nil, []string{"*"}, letter.Everyone
		}
		raw := letter.Letter{
			Statement: ident.Sign(ident.KindMessage, at.ID(), m.Encode(), session).Marshal(), Attest: attest,
			Ord: uint64(n), Addresses: []letter.Address{{Index: index}}, Remaining: time.Hour,
		}.Pack()
		if err := bo.net.Send(t.Context(), at.ID(), home, [][]byte{raw}); err != nil {
			t.Fatal(err)
		}
	}
	post("direct without send", trust.AllRights&^trust.RightSend, false)
	post("to all without broadcast", trust.AllRights&^trust.RightBroadcast, true)
	post("with nothing", 0, false)
	post("to all with send alone", trust.RightSend, true)
	post("direct with send", trust.RightSend, false)
	post("to all with broadcast", trust.RightBroadcast, true)
	var got []string
	until(t, "all that may come", func() bool {
		for _, m := range asked(t, ana, reader, message.Check, message.CheckRequest{}).Messages {
			got = append(got, m.Body)
		}
		return len(got) >= 2
	})
	slices.Sort(got)
	if !slices.Equal(got, []string{"direct with send", "to all with broadcast"}) {
		t.Errorf("ana was shown %q", got)
	}
}
