package hostile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	// beat is between two messages of one agent.
	beat = 40 * time.Millisecond
	// latest is how late any message may be that is sent around a ban. It is far more
	// than it takes, so that a busy machine passes and a reconnection with its
	// timers, or a retry, does not.
	latest = 5 * time.Second
)

// sent is a message on its way: when it was accepted.
type sent struct {
	to *harness.Agent
	at time.Time
}

// All remaining members go on without a pause: two people send each other's agents
// messages at a steady pace, before, during and after a ban, and none is late or lost. Somebody who
// was offline meanwhile gets all that was sent to him; the banned one gets nothing more.
func TestABanMakesNobodyWait(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w, homes, agents := crowdOf(ctx, t, "ana", "ben", "cy", "dan")
	ana, ben, cy, dan := agents[0], agents[1], agents[2], agents[3]
	defer func() {
		if t.Failed() {
			t.Logf("the ends of the logs:\n%s", w.Logs())
		}
	}()
	nodetest.Must(t, dan.EOF())
	nodetest.Must(t, dan.Wait(ctx))
	nodetest.Must(t, homes[3].Stop(ctx))

	var mu sync.Mutex // guards what follows
	under := map[string]sent{}
	var late []string // ids of messages to dan
	// It is people who write: agents among themselves are stopped after some turns.
	say := func(from *harness.Home, to *harness.Agent, name, text string) {
		out, err := message.Send.Call(ctx, from.API(), op.Caller{User: true},
			message.SendRequest{To: message.Targets{name}, Message: text, Priority: message.Now})
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if to == nil {
			late = append(late, out.ID)
		} else {
			under[out.ID] = sent{to, time.Now()}
		}
	}
	var beside sync.WaitGroup
	const count = 120
	for _, one := range []struct {
		from *harness.Home
		to   *harness.Agent
		name string
	}{{homes[0], ben, "ben"}, {homes[1], ana, "ana"}, {homes[0], nil, "dan"}, {homes[1], nil, "@all"}} {
		beside.Go(func() {
			tick := time.NewTicker(beat)
			defer tick.Stop()
			for i := range count {
				<-tick.C
				if one.to != nil || i%10 == 0 {
					say(one.from, one.to, one.name, fmt.Sprintf("to %s, %d", one.name, i))
				}
			}
		})
	}
	_, err := cy.Await(ctx, 0, func(c harness.Channel) bool { return strings.Contains(c.Content, "to @all, 10") })
	nodetest.Must(t, err)
	began := time.Now()
	var banned mesh.BanResponse
	nodetest.Must(t, homes[0].JSON(ctx, &banned, "ban", "cy", "--yes"))
	banTook := time.Since(began)
	after := time.Now()
	beside.Wait()

	var worst time.Duration
	for id, s := range under {
		c, err := s.to.AwaitMessage(ctx, id)
		nodetest.Must(t, err)
		worst = max(worst, c.At.Sub(s.at))
	}
	t.Logf("%d messages around a ban that took %v: the latest came %v after it was accepted", len(under), banTook.Round(time.Millisecond), worst.Round(time.Millisecond))
	if worst > latest {
		t.Errorf("a message came %v after it was accepted, at most %v are allowed", worst, latest)
	}
	nodetest.Must(t, homes[3].Start(ctx))
	back, err := homes[3].Agent(ctx, harness.AgentConfig{Session: "s-dan", Name: "dan"})
	nodetest.Must(t, err)
	for _, id := range late {
		_, err := back.AwaitMessage(ctx, id)
		nodetest.Must(t, err)
	}
	for _, c := range cy.Channels() {
		if c.At.After(after.Add(latest)) && c.Kind() == "broadcast" {
			t.Errorf("the banned agent still heard %q", c.Content)
		}
	}
}

// crowdOf starts a node and an agent for each name, all in the mesh of the first.
func crowdOf(ctx context.Context, t *testing.T, names ...string) (*harness.World, []*harness.Home, []*harness.Agent) {
	t.Helper()
	w, err := harness.New(harness.Config{Bin: bin, Limit: 5 * time.Minute})
	nodetest.Must(t, err)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	var homes []*harness.Home
	var agents []*harness.Agent
	for i, name := range names {
		h, err := w.Home(name)
		nodetest.Must(t, err)
		nodetest.Must(t, h.Start(ctx))
		if i == 0 {
			nodetest.Must(t, h.JSON(ctx, &struct{}{}, "new", "atelier", "--as", name))
		} else {
			var made mesh.InviteResponse
			nodetest.Must(t, homes[0].JSON(ctx, &made, "invite"))
			nodetest.Must(t, h.JSON(ctx, &struct{}{}, "join", made.Link, "--as", name))
		}
		a, err := h.Agent(ctx, harness.AgentConfig{Session: "s-" + name, Name: name})
		nodetest.Must(t, err)
		homes, agents = append(homes, h), append(agents, a)
	}
	for i, from := range homes {
		nodetest.Must(t, harness.Until(ctx, func() (bool, any, error) {
			all, err := mesh.List.Call(ctx, from.API(), op.Caller{User: true}, mesh.ListRequest{})
			return err == nil && all.Meshes[0].Members == len(names), all, err
		}))
		for _, to := range names[i+1:] {
			nodetest.Must(t, deliver(ctx, from, to, "hello"))
		}
	}
	return w, homes, agents
}
