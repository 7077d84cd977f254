package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/test/renegade"
)

// inner are the inner protocols of a mesh's streams.
var inner = []string{"post/1", "ask/1", "records/1", "/meshsub/1.1.0", "/meshsub/1.2.0"}

// A banned member with its keys and a modified client: it opens no stream at anybody
// who remains, and of what is said after the ban it reads nothing, though a member
// hands it every byte that comes. The others go on, and so do those who were offline.
func TestABannedMemberWithAModifiedClient(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	nodes := map[string]*nodetest.Node{}
	for _, name := range []string{"bo", "cy", "dan", "eve"} {
		n := nodetest.Start(t, name)
		n.Join(ana.Invite())
		nodes[name] = n
	}
	bo, cy, dan, eve := nodes["bo"], nodes["cy"], nodes["dan"], nodes["eve"]
	from, to := ana.Agent("a"), bo.Agent("b")
	nodetest.CallAs(bo, to, presence.JoinGroup, presence.JoinGroupRequest{Name: "eng"})
	cy.Agent("c")
	arrives(ana, from, send(ana, from, "bo", "before"))
	arrives(ana, from, send(ana, from, "cy", "before"))
	nodetest.Call(ana, mesh.Promote, mesh.PromoteRequest{Member: "bo"})
	at := map[string]peer.AddrInfo{"ana": renegade.Where(t, ana), "bo": renegade.Where(t, bo)}
	cy.Stop()
	dan.Stop()
	eve.Stop()

	spy := turn(t, eve, true) // a member in good standing that tells cy everything
	spy.Meet(at["ana"])
	gap := talk(t, ana, from, bo, to, func() {
		nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"cy"}})
	})
	t.Logf("the longest gap between two arrivals around the ban: %v", gap)
	bo.Wait("aware of the ban", func() bool {
		return len(nodetest.Call(bo, mesh.List, mesh.ListRequest{}).Meshes) == 1 && members(bo) == 4
	})

	bad := turn(t, cy, false)
	for name, info := range at {
		if err := bad.Connect(t.Context(), info); err != nil {
			t.Fatal(err)
		}
		for _, proto := range inner {
			s, err := bad.Open(t.Context(), bad.Mesh.ID(), info.ID, proto)
			if err == nil {
				s.Reset()
				t.Errorf("it opens a stream of %s at %s", proto, name)
			} else if !errors.Is(err, host.ErrRefused) && !errors.Is(err, host.ErrNotProved) && !errors.Is(err, host.ErrOffline) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s at %s: %v", proto, name, err)
			}
		}
	}
	readsNothing(t, ana, from, bo, to, spy, bad)
	returns(t, ana, from, dan)
}

// readsNothing has a thousand messages sent and tries all keys of the banned member on
// all that the spy was given.
func readsNothing(t *testing.T, ana *nodetest.Node, from op.Caller, bo *nodetest.Node, to op.Caller, spy, bad *recorder) {
	t.Helper()
	const each, secret = 250, "a word for those who remain"
	known := len(spy.heard())
	for i := range each {
		for _, target := range []string{"bo", "eve", "@eng", "@all"} {
			send(ana, from, target, fmt.Sprintf("%s %d", secret, i))
		}
		if i%10 == 0 {
			nodetest.CallAs(ana, from, state.Set, state.SetRequest{Key: "plan", Value: fmt.Appendf(nil, `"%s %d"`, secret, i)})
			nodetest.CallAs(ana, from, presence.Summary, presence.SummaryRequest{Summary: fmt.Sprint(secret, " ", i)})
		}
	}
	ana.Wait("heard by the spy", func() bool { return len(spy.heard()) >= known+2*each })
	opened, control := 0, 0
	kinds := map[byte]int{}
	for _, payload := range spy.heard()[known:] {
		if bytes.Contains(payload, []byte(secret)) {
			t.Fatal("a message was shouted in the clear")
		}
		if _, _, err := bad.Mesh.OpenGossip(payload); err == nil {
			opened++
		}
		for _, key := range bad.Mesh.Ring().Keys() {
			for _, try := range [][32]byte{key, trust.EffectiveKey(key)} {
				if _, err := seal.EpochOpen(try, seal.UseGossip, bad.Mesh.ID(), payload); err == nil {
					opened++
				}
			}
		}
		plain, _, err := spy.Mesh.OpenGossip(payload)
		if err != nil {
			continue
		}
		control++
		kinds[plain[0]]++
		// A record is sealed by itself: nodes and, later, relays keep it so.
		if plain[0] == sayRecord {
			rec, err := replica.Parse(plain[1:])
			nodetest.Must(t, err)
			if !opens(spy, rec) {
				t.Error("a member cannot read a record")
			}
			if opens(bad, rec) {
				opened++
			}
		}
	}
	letters := 0
	for _, frame := range spy.posted() {
		if bytes.Contains(frame, []byte(secret)) {
			t.Fatal("a letter was sent in the clear")
		}
		if id, ok := sealedTo(frame); ok {
			if _, has := bad.Mesh.Private(id); has {
				t.Error("it has the key of a letter stream to somebody else")
			}
			if _, has := spy.Mesh.Private(id); !has {
				t.Error("the stream's own recipient has no key for it")
			}
		}
		letters++
	}
	t.Logf("of %d payloads of gossip after the ban it opens %d, a member %d (%d beacons, %d letters, %d records); %d frames of letters recorded",
		len(spy.heard())-known, opened, control, kinds[sayBeacon], kinds[sayLetter], kinds[sayRecord], letters)
	if control < 2*each || letters < each/2 || kinds[sayBeacon] == 0 || kinds[sayLetter] < each || kinds[sayRecord] == 0 {
		t.Error("what was recorded is not what was said")
	}
	if opened > 0 {
		t.Error("it reads what was said after the ban")
	}
	got := 0
	bo.Wait("given all messages", func() bool {
		got += len(nodetest.CallAs(bo, to, message.Check, message.CheckRequest{}).Messages)
		return got >= 3*each
	})
}

// opens tries all keys that a renegade has on a record.
func opens(r *recorder, rec replica.Record) bool {
	tries := slices.Collect(maps.Values(r.Mesh.Ring().Keys()))
	if _, effective, err := r.Mesh.Ring().Effective(r.Mesh.State().EpochHeads); err == nil {
		tries = append(tries, effective)
	}
	for _, key := range tries {
		for _, try := range [][32]byte{key, trust.EffectiveKey(key)} {
			if _, err := seal.BoxOpen(seal.EpochKey(try, seal.UseRecord, r.Mesh.ID()), replica.AAD(rec.Header), rec.Sealed()); err == nil {
				return true
			}
		}
	}
	return false
}

// sealedTo reads from the first frame of a stream of letters which key it is sealed to.
func sealedTo(frame []byte) (id [32]byte, ok bool) {
	if len(frame) == 0 || frame[0] != 1 {
		return id, false
	}
	r, err := ident.ReadFields(frame[1:], 2, 4, 6)
	if err != nil {
		return id, false
	}
	r.Fixed(2, id[:])
	return id, r.Err() == nil
}

// talk sends a stream of messages, has something happen in its middle, and returns the
// longest time between two arrivals.
func talk(t *testing.T, ana *nodetest.Node, from op.Caller, bo *nodetest.Node, to op.Caller, meanwhile func()) (gap time.Duration) {
	t.Helper()
	const count = 200
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() {
		for i := range count {
			if i == count/2 {
				meanwhile()
			}
			send(ana, from, "bo", fmt.Sprint("stream ", i))
		}
	})
	last, got := time.Now(), 0
	bo.Wait("given the stream", func() bool {
		if n := len(nodetest.CallAs(bo, to, message.Check, message.CheckRequest{}).Messages); n > 0 {
			gap, last, got = max(gap, time.Since(last)), time.Now(), got+n
		}
		return got >= count
	})
	return gap
}

// returns lets somebody come back who was offline at the ban.
func returns(t *testing.T, ana *nodetest.Node, from op.Caller, dan *nodetest.Node) {
	t.Helper()
	id := send(ana, from, "dan", "while you were away")
	dan.Restart()
	arrives(ana, from, id)
	dan.Wait("aware of the ban", func() bool { return members(dan) == 4 })
}

func members(n *nodetest.Node) int {
	return nodetest.Call(n, mesh.List, mesh.ListRequest{}).Meshes[0].Members
}

func send(n *nodetest.Node, c op.Caller, to, text string) string {
	return nodetest.CallAs(n, c, message.Send, message.SendRequest{To: message.Targets{to}, Message: text}).ID
}

// arrives waits until a message is delivered.
func arrives(n *nodetest.Node, c op.Caller, id string) {
	n.Wait("told of the delivery", func() bool {
		return nodetest.CallAs(n, c, message.Status, message.StatusRequest{ID: id}).Delivered
	})
}
