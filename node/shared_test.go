package node_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/overview"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/profile"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
)

// set writes a shared key.
func set(n *nodetest.Node, c op.Caller, key, value string) state.SetResponse {
	return nodetest.CallAs(n, c, state.Set, state.SetRequest{Key: key, Value: json.RawMessage(value)})
}

// holds waits until a node shows a value under a key; an empty one means that the key
// is not set.
func holds(n *nodetest.Node, c op.Caller, key, value string) (last state.GetResponse) {
	n.Wait("in agreement that "+key+" is "+value, func() bool {
		var err error
		last, err = state.Get.Call(context.Background(), n.Ops(), c, state.GetRequest{Key: key})
		if value == "" {
			return op.CodeOf(err) == op.NotFound
		}
		return err == nil && string(last.JSON) == value
	})
	return last
}

// feed follows a session's feed until the test ends, and gives the events of a topic
// so far, decoded.
func feedOf[T any](t *testing.T, n *nodetest.Node, agent, topic string) (op.Caller, func() []T) {
	t.Helper()
	session := nodetest.Call(n, presence.Open, presence.OpenRequest{AgentSession: agent})
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var got []T
	welcomed := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	client := n.Client().As(session.Token)
	wg.Go(func() {
		_ = client.Follow(ctx, op.Caller{}, "", func(e op.Event) error {
			once.Do(func() { close(welcomed) })
			if e.Topic != topic {
				return nil
			}
			var data T
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, data)
			return nil
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait(); client.Close() })
	<-welcomed
	return op.Caller{Session: session.Session}, func() []T {
		mu.Lock()
		defer mu.Unlock()
		return append([]T(nil), got...)
	}
}

func TestASharedKeyIsTheSameEverywhereAndIsTold(t *testing.T) {
	ana, bo := pair(t)
	writer, toWriter := feedOf[op.StateChange](t, ana, "a1", op.TopicState)
	_, toOther := feedOf[op.StateChange](t, ana, "a2", op.TopicState)
	reader, toReader := feedOf[op.StateChange](t, bo, "b", op.TopicState)
	set(ana, writer, "build", `{"green":true}`)
	got := holds(bo, reader, "build", `{"green":true}`)
	if got.By != "ana" || got.At == "" {
		t.Errorf("bo reads %+v", got)
	}
	for name, told := range map[string]func() []op.StateChange{"bo": toReader, "ana's other session": toOther} {
		bo.Wait("told "+name, func() bool { return len(told()) > 0 })
		if c := told(); len(c) != 1 || c[0].Key != "build" || string(c[0].Value) != `{"green":true}` || c[0].UpdatedBy != "ana" {
			t.Errorf("%s was told %+v", name, c)
		}
	}
	// The last writer wins, and null is a value.
	set(bo, reader, "build", `null`)
	back := holds(ana, writer, "build", `null`)
	if back.By != "bo" {
		t.Errorf("ana reads %+v", back)
	}
	ana.Wait("told", func() bool { return len(toWriter()) > 0 })
	if c := toWriter(); len(c) != 1 || string(c[0].Value) != "null" || c[0].UpdatedBy != "bo" {
		t.Errorf("ana was told %+v", c)
	}
	_, err := state.Get.Call(t.Context(), bo.Ops(), reader, state.GetRequest{Key: "nothing"})
	if op.CodeOf(err) != op.NotFound {
		t.Errorf("a key that is not set: %v", err)
	}
}

func TestStateIsThereForWhoComesLater(t *testing.T) {
	ana, bo := pair(t)
	writer := ana.Agent("a")
	holds(bo, bo.Agent("b"), "k", "")
	bo.Stop()
	set(ana, writer, "k", `1`)
	ana.Restart()
	holds(ana, writer, "k", `1`)
	bo.Restart()
	holds(bo, bo.Agent("b"), "k", `1`)
	cy := nodetest.Start(t, "cy")
	cy.Join(ana.Invite())
	if got := holds(cy, cy.Agent("c"), "k", `1`); got.By != "ana" {
		t.Errorf("cy reads %+v", got)
	}
}

// Who may write is judged at reading, by every node alike.
func TestOnlyThoseNamedMayWrite(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	set(bo, bs, "k", `"bo's"`)
	holds(ana, as, "k", `"bo's"`)
	if _, err := state.Writers.Call(t.Context(), bo.Ops(), nodetest.User(), state.WritersRequest{Writers: []string{"bo"}}); op.CodeOf(err) != op.Denied {
		t.Errorf("a member said who may write: %v", err)
	}
	if _, err := state.Writers.Call(t.Context(), ana.Ops(), as, state.WritersRequest{Writers: []string{"ana"}}); op.CodeOf(err) != op.Denied {
		t.Errorf("an agent said who may write: %v", err)
	}
	out := nodetest.Call(ana, state.Writers, state.WritersRequest{Writers: []string{"ana"}})
	if out.Everyone || len(out.Writers) != 1 || out.Writers[0].Name != "ana" {
		t.Errorf("%+v", out)
	}
	holds(ana, as, "k", "")
	holds(bo, bs, "k", "")
	_, err := state.Set.Call(t.Context(), bo.Ops(), bs, state.SetRequest{Key: "k", Value: json.RawMessage(`2`)})
	if op.CodeOf(err) != op.Denied || !strings.Contains(op.AsError(err).Hint, "ana") {
		t.Errorf("bo wrote: %v", err)
	}
	nodetest.Call(ana, state.Writers, state.WritersRequest{Writers: []string{"everyone"}})
	holds(bo, bs, "k", `"bo's"`)
	holds(ana, as, "k", `"bo's"`)
}

// Catalogue line 14: what is asked of one mesh is answered from that mesh.
func TestStateIsOfOneMesh(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("one")
	ana.Found("two")
	c := ana.Agent("a")
	in := func(slug string) op.InMesh { return op.InMesh{Mesh: slug} }
	_, err := state.Set.Call(t.Context(), ana.Ops(), c, state.SetRequest{Key: "k", Value: json.RawMessage(`1`)})
	if op.CodeOf(err) != op.Ambiguous || !strings.Contains(op.AsError(err).Hint, "one, two") {
		t.Errorf("without a mesh: %v", err)
	}
	nodetest.CallAs(ana, c, state.Set, state.SetRequest{InMesh: in("one"), Key: "k", Value: json.RawMessage(`1`)})
	if _, err := state.Get.Call(t.Context(), ana.Ops(), c, state.GetRequest{InMesh: in("two"), Key: "k"}); op.CodeOf(err) != op.NotFound {
		t.Errorf("in the other mesh: %v", err)
	}
	if list := nodetest.CallAs(ana, c, state.List, state.ListRequest{InMesh: in("two")}); list.Total != 0 {
		t.Errorf("listed in the other mesh: %+v", list)
	}
	one := nodetest.CallAs(ana, c, overview.Info, overview.InfoRequest{InMesh: in("one")})
	two := nodetest.CallAs(ana, c, overview.Info, overview.InfoRequest{InMesh: in("two")})
	if one.StateCount != 1 || two.StateCount != 0 || one.Slug != "one" || two.Slug != "two" {
		t.Errorf("%+v and %+v", one, two)
	}
}

// Catalogue line 25: a new name is the name everywhere, also in live sessions.
func TestANewNameIsSeenEverywhere(t *testing.T) {
	ana, bo := pair(t)
	as, told := feedOf[op.Self](t, ana, "a", op.TopicSelf)
	bs := bo.Agent("b")
	sees(bo, bs, "ana", "bo")
	name := "anna"
	out := nodetest.Call(ana, profile.Edit, profile.EditRequest{Name: &name})
	if out.Profile.Name != "anna" || out.Profile.Admitted != "ana" {
		t.Errorf("%+v", out)
	}
	sees(bo, bs, "anna", "bo")
	sees(ana, as, "anna", "bo")
	ana.Wait("told its name", func() bool { return len(told()) > 0 && told()[len(told())-1].Name == "anna" })
	bo.Wait("aware of it", func() bool {
		got, err := profile.Get.Call(t.Context(), bo.Ops(), bs, profile.GetRequest{Member: "anna"})
		return err == nil && got.Name == "anna" && got.Admitted == "ana"
	})
	id := send(bo, bs, "anna", "hello")
	reaches(bo, bs, id, "delivered")
	set(ana, as, "k", `1`)
	if got := holds(bo, bs, "k", `1`); got.By != "anna" {
		t.Errorf("set by %s", got.By)
	}
	ana.Restart()
	if got := nodetest.CallAs(ana, ana.Agent("a"), overview.Info, overview.InfoRequest{}); got.Name != "anna" {
		t.Errorf("after a restart ana is %s", got.Name)
	}
	_, err := profile.Edit.Call(t.Context(), bo.Ops(), nodetest.User(), profile.EditRequest{Name: &name})
	if op.CodeOf(err) != op.Conflict {
		t.Errorf("bo took ana's name: %v", err)
	}
}

func TestAnAdminEditsAMemberWhoseSessionsFollow(t *testing.T) {
	ana, bo := pair(t)
	bs, told := feedOf[op.Self](t, bo, "b", op.TopicSelf)
	mode, tag := "inbox", "reviewer"
	nodetest.Call(ana, profile.Edit, profile.EditRequest{Member: "bo", Mode: &mode, RoleTag: &tag, Groups: &[]profile.Group{{Name: "core", Role: "lead"}}})
	bo.Wait("told its mode", func() bool { return len(told()) > 0 && told()[len(told())-1].Mode == "inbox" })
	got := nodetest.CallAs(bo, bs, profile.Get, profile.GetRequest{})
	if got.Mode != "inbox" {
		t.Errorf("%+v", got)
	}
	bo.Wait("aware of the rest", func() bool {
		got := nodetest.CallAs(bo, bs, profile.Get, profile.GetRequest{})
		return got.RoleTag == "reviewer" && len(got.Groups) == 1
	})
	ping := nodetest.CallAs(bo, bs, overview.Ping, overview.PingRequest{})
	if ping.Pipeline.Mode != "inbox" || !ping.Pipeline.Attached {
		t.Errorf("%+v", ping.Pipeline)
	}
	_, err := profile.Edit.Call(t.Context(), bo.Ops(), nodetest.User(), profile.EditRequest{Member: "ana", RoleTag: &tag})
	if op.CodeOf(err) != op.Denied {
		t.Errorf("a member edited the owner: %v", err)
	}
	title := "Compilers"
	nodetest.CallAs(bo, bs, profile.Set, profile.SetRequest{Title: &title})
	ana.Wait("shown the title", func() bool {
		for _, p := range nodetest.Call(ana, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers {
			if p.Member == "bo" && p.Title == title && p.RoleTag == tag {
				return true
			}
		}
		return false
	})
}

func TestAPingIsARoundTripThatNobodySees(t *testing.T) {
	ana, bo := pair(t)
	as, _ := feedOf[op.Event](t, ana, "a", op.TopicMessage)
	bs, seen := feedOf[json.RawMessage](t, bo, "b", op.TopicMessage)
	sees(ana, as, "ana", "bo")
	linked(ana, as, "bo")
	out := nodetest.CallAs(ana, as, overview.Ping, overview.PingRequest{})
	if out.Connection != "connected" || out.Online != 1 || len(out.Priorities) != 2 || !out.Pipeline.Notifications {
		t.Fatalf("%+v", out)
	}
	for _, p := range out.Priorities {
		if len(p.Trips) != 1 || p.Trips[0].Error != "" || p.Trips[0].MS <= 0 || p.Trips[0].Name != "bo" || p.Trips[0].Held != "" || p.Held != "" {
			t.Errorf("%+v", p)
		}
	}
	// A peer that works would be held for, and says so.
	nodetest.CallAs(bo, bs, presence.SetStatus, presence.SetStatusRequest{Status: "working"})
	out = nodetest.CallAs(ana, as, overview.Ping, overview.PingRequest{Priorities: []overview.Priority{overview.Next, overview.Now}})
	if next, now := out.Priorities[0].Trips[0], out.Priorities[1].Trips[0]; !strings.Contains(next.Held, "working") || now.Held != "" {
		t.Errorf("next %+v, now %+v", next, now)
	}
	if got := seen(); len(got) != 0 || len(bodies(bo, bs)) != 0 {
		t.Errorf("bo was shown %s", got)
	}
	_, err := overview.Ping.Call(t.Context(), ana.Ops(), op.Caller{Member: "x", Mesh: "y"}, overview.PingRequest{})
	if op.CodeOf(err) != op.NotFound {
		t.Errorf("another node had this one ping: %v", err)
	}
	bo.Stop()
	ana.Wait("alone", func() bool {
		return nodetest.CallAs(ana, as, overview.Ping, overview.PingRequest{}).Connection == "alone"
	})
	send(ana, as, "bo", "later")
	if out = nodetest.CallAs(ana, as, overview.Ping, overview.PingRequest{}); out.Buffered != 1 {
		t.Errorf("%d buffered", out.Buffered)
	}
}

func TestStatsCountWhatSessionsDid(t *testing.T) {
	ana, bo := pair(t)
	as, bs := ana.Agent("a"), bo.Agent("b")
	sees(ana, as, "ana", "bo")
	reaches(ana, as, send(ana, as, "bo", "one"), "delivered")
	bodies(bo, bs)
	out := nodetest.Call(ana, overview.Stats, overview.StatsRequest{})
	if len(out.Meshes) != 1 || len(out.Meshes[0].Peers) != 2 || out.Meshes[0].Peers[0].Name != "ana" || !out.Meshes[0].Peers[0].Own {
		t.Errorf("%+v", out)
	}
}
