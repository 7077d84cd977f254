package lies_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Kinds of gossip, as package node says them.
const (
	shoutBeacon byte = 1
	shoutHeads  byte = 2
	shoutLetter byte = 3
	shoutRecord byte = 4
)

// told is what a lie is counted as.
type told struct{ reason, from string }

// Each way by which a member's words come to a node refuses what is not so, counts it
// with the member who said it, and shows that, whosever name was on it. What the single
// statements may say is in the tables beside.
func TestLiesAreCountedAndShown(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	once := ana.Invite()
	for _, name := range []string{"cy", "eve"} {
		n := nodetest.Start(t, name)
		if name == "cy" {
			n.Join(once)
			n.Stop()
			continue
		}
		n.Join(ana.Invite())
		n.Stop()
		lies(t, ana, turn(t, n, where(t, ana)))
	}
	dan := nodetest.Start(t, "dan")
	if _, err := mesh.Join.Call(t.Context(), dan.Ops(), nodetest.User(), mesh.JoinRequest{Link: once}); err == nil {
		t.Error("an invite for one was used twice")
	}
	want := map[told]bool{{"proof", "nobody known"}: true}
	for _, reason := range []string{
		"log_entry", "gossip", "beacon", "session", "binding", "heads", "message", "record", "letter", "stream", "delivery_key",
	} {
		want[told{reason, "eve"}] = true
	}
	var out audit.QueryResponse
	seen := make(map[told]bool)
	ana.Wait("through with the lies", func() bool {
		out = nodetest.Call(ana, audit.Query, audit.QueryRequest{Kind: "refused", Limit: 500})
		clear(seen)
		for _, r := range out.Refusals {
			seen[told{r.Reason, r.From}] = true
			if r.Times == 0 || r.Mesh != "team" || r.Last < r.First || !strings.Contains(out.Text(), r.Line()) {
				t.Fatalf("%+v in\n%s", r, out.Text())
			}
		}
		for w := range want {
			if !seen[w] {
				t.Logf("not counted yet: %+v", w)
				return false
			}
		}
		return out.Refused["claim"] > 0
	})
	for s := range seen {
		if s.from == "ana" || s.from == "cy" {
			t.Errorf("%+v is blamed on somebody who did not lie", s)
		}
	}
	inChain := make(map[told]bool)
	for _, e := range out.Entries {
		inChain[told{e.Data["reason"], e.Actor}] = true
	}
	for w := range want {
		if w.from == "eve" && !inChain[w] {
			t.Errorf("no entry tells of %+v; there are %+v", w, slices.Collect(maps.Keys(inChain)))
		}
	}
	// It has changed nothing: eve is a member like any other, and cy has no session.
	info := nodetest.Call(ana, mesh.List, mesh.ListRequest{}).Meshes[0]
	peers := nodetest.Call(ana, presence.Peers, presence.PeersRequest{}).Meshes[0].Peers
	if info.Members != 3 || len(peers) != 0 {
		t.Errorf("%+v, %+v", info, peers)
	}
}

// lies has a member say all that is not so.
func lies(t *testing.T, ana *nodetest.Node, eve *liar) {
	t.Helper()
	id, self, state := eve.mesh.ID(), eve.mesh.Self(), eve.mesh.State()
	var cy ident.PublicKey
	for key, m := range state.Members {
		if m.Name == "cy" {
			cy = key
		}
	}
	other := ident.PrivateKeyFromSeed([32]byte{7})
	session := ident.PrivateKeyFromSeed([32]byte{8})
	now := time.Now()

	// The admin log.
	head := func(by ident.PublicKey) trust.Head {
		return trust.Head{Signer: by, Parents: eve.mesh.Admin().Heads(), Time: now}
	}
	promote := &trust.RoleChange{Head: head(self), Member: cy, Role: trust.RoleAdmin}
	forged := &trust.Set{Head: head(state.Owner), Key: "color", Value: "red"}
	eve.enters(eve.mesh.Sign(forged.Kind(), forged.Encode()))
	eve.enters(eve.mesh.Sign(promote.Kind(), promote.Encode()))

	// Gossip.
	sealed, err := eve.mesh.SealGossip([]byte{shoutHeads})
	must(t, err)
	sealed[len(sealed)-1] ^= 1
	must(t, eve.gossip.Shout(t.Context(), sealed))
	beacon := roster.Beacon{Boot: 1 << 40, Seq: 1, Clock: now, Lease: roster.Lease}
	eve.shouts(shoutBeacon, cy[:], eve.mesh.Sign(ident.KindBeacon, beacon.Encode()).Marshal())
	eve.shouts(shoutHeads, []byte("no heads"))
	theirs, _ := eve.mesh.Attest(session.Public(), "ana", trust.AllRights) // a session that does not consent
	beacon.Cards = []roster.Card{{Attest: theirs, Status: status.Mark{Value: status.Idle}, Opened: now, Consent: bytes.Repeat([]byte{1}, 64)}}
	bind := trust.Bind{Member: cy, Peer: []byte(eve.ID()), Gen: 1 << 40, Until: now.Add(time.Hour)}
	beacon.Node.Bind = eve.mesh.Sign(ident.KindBind, bind.Encode()).Marshal()
	eve.shouts(shoutBeacon, self[:], eve.mesh.Sign(ident.KindBeacon, beacon.Encode()).Marshal())
	h := replica.Header{Log: replica.Log{Author: eve.mesh.Blind().Public(), Inc: 1 << 40}, N: 1, Slot: replica.Slot{1}, Clock: 1 << 20}
	r, err := replica.Make(eve.mesh.Blind(), h, []byte("a sealed text"))
	must(t, err)
	eve.shouts(shoutRecord, bytes.Replace(r.Raw(), []byte("a sealed text"), []byte("another text!"), 1))

	// Letters, and what the air has of them.
	message := letter.Message{
		ID: letter.ID{1}, Origin: self, Session: session.Public(), Reach: letter.Direct, To: []ident.PublicKey{state.Owner},
		Priority: delivery.Next, Body: "pay 1000", Cause: [16]byte{1}, Created: now.Truncate(time.Millisecond), TTL: time.Hour,
	}
	pack := func(m letter.Message, by ident.PrivateKey, address int) letter.Letter {
		return letter.Letter{
			Statement: ident.Sign(ident.KindMessage, id, m.Encode(), by).Marshal(), Attest: theirs, Ord: 1,
			Addresses: []letter.Address{{Index: address}}, Remaining: time.Hour,
		}
	}
	another := message
	another.Origin = cy
	receipt := letter.Receipt{Signer: cy}
	eve.posts(nil,
		pack(message, other, 0).Pack(),   // another's signature
		pack(another, session, 0).Pack(), // in cy's name
		letter.PackReceipt(eve.mesh.Sign(ident.KindReceipt, receipt.Encode()).Marshal()),
		[]byte("no letter"),
	)
	many := message
	many.Reach, many.To, many.Targets = letter.Mesh, nil, []string{"*"}
	many.Origin = cy
	cry := letter.Cry{Letter: pack(many, session, letter.Everyone).Pack(), Members: []ident.PublicKey{state.Owner}}
	eve.shouts(shoutLetter, eve.mesh.Sign(letter.KindCry, cry.Encode()).Marshal())

	// Streams and keys.
	eve.posts(func(k *keys) { k.signer = other }, []byte("never read"))
	key := trust.Delivery{Member: cy, Gen: 1, Seq: 1, Key: trust.KeysOf(ident.Seed{7}).Seal, Created: now}
	eve.posts(func(k *keys) { k.delivery = eve.mesh.Sign(ident.KindDelivery, key.Encode()).Marshal() }, []byte("never read"))
	eve.proves()
}
