package hostile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/wire"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/records"
	"github.com/claudemesh/claudemesh/test/harness"
	"github.com/claudemesh/claudemesh/test/renegade"
)

// What a gossip payload is, by its first byte; see node.
const (
	sayBeacon, sayLetter, sayRecord byte = 1, 3, 4
)

// A banned member goes on speaking: beacons, records and letters, all signed with its
// keys. A member that remains runs a modified client and passes every word on, as it
// came, sealed anew under the newest key, by letter, and as records of its own store.
// Nobody who knows of the ban takes any of it. Somebody who does not know takes it all:
// that it was refused elsewhere was for the ban alone.
func TestABannedMembersWordsThroughAnAccomplice(t *testing.T) {
	ana := nodetest.Start(t, "ana")
	ana.Found("team")
	bo, cy, dan, eve := nodetest.Start(t, "bo"), nodetest.Start(t, "cy"), nodetest.Start(t, "dan"), nodetest.Start(t, "eve")
	all := []*nodetest.Node{bo, cy, dan, eve}
	for _, n := range all {
		n.Join(ana.Invite())
	}
	speaker := cy.Agent("c")
	put(cy, speaker, "before")
	for _, n := range append(all, ana) {
		n.Agent("of " + n.Name)
		n.Wait("told of what cy wrote", func() bool { return shown(n) == `"before"` })
		n.Wait("aware of cy", func() bool { return n == cy || sees(n, "cy") })
	}
	for _, n := range []*nodetest.Node{cy, dan, eve} {
		n.Stop()
	}
	nodetest.Call(ana, mesh.Ban, mesh.BanRequest{Members: []string{"cy"}})
	bo.Wait("aware of the ban", func() bool { return members(bo) == 4 })
	ana.Stop()
	bo.Stop()

	// cy and eve meet where nobody knows of the ban.
	spy := turn(t, eve, false)
	spy.takesMail(t)
	cy.Restart()
	said := spy.listen(t, cy)
	dan.Restart()
	spy.whispers(t, said, dan)
	dan.Wait("taken in by what is passed on", func() bool { return shown(dan) == `"after"` && sees(dan, "cy") && hasMail(dan) })

	// Now everybody is back but cy, and eve has the newest keys.
	ana.Restart()
	bo.Restart()
	spy.Mesh.Deaf.Store(false)
	for _, n := range []*nodetest.Node{ana, bo} {
		spy.whispers(t, said, n)
	}
	dan.Wait("aware of the ban", func() bool { return members(dan) == 4 && shown(dan) == `"before"` && !sees(dan, "cy") })
	for _, n := range []*nodetest.Node{ana, bo} {
		if got := shown(n); got != `"before"` {
			t.Errorf("%s shows %s", n.Name, got)
		}
		if sees(n, "cy") {
			t.Errorf("%s lists cy", n.Name)
		}
		if hasMail(n) {
			t.Errorf("%s took a letter of cy", n.Name)
		}
	}
	t.Logf("%d letters, %d records, %d beacons and %d packets of gossip were passed on", len(said.letters), len(said.records), len(said.beacons), len(said.raw))
}

func put(n *nodetest.Node, c op.Caller, value string) {
	nodetest.CallAs(n, c, state.Set, state.SetRequest{Key: "plan", Value: json.RawMessage(`"` + value + `"`)})
}

// shown is what a node shows under the key that put writes.
func shown(n *nodetest.Node) string {
	for _, v := range nodetest.Call(n, state.List, state.ListRequest{}).Entries {
		if v.Key == "plan" {
			return string(v.JSON)
		}
	}
	return ""
}

// sees tells whether a node lists sessions of a member that are there.
func sees(n *nodetest.Node, member string) bool {
	for _, m := range nodetest.Call(n, presence.Peers, presence.PeersRequest{}).Meshes {
		for _, p := range m.Peers {
			if p.Member == member && p.State == "online" {
				return true
			}
		}
	}
	return false
}

const toAll = "words for everybody"

// hasMail tells whether a node's agent was given what cy said to all.
func hasMail(n *nodetest.Node) bool {
	got := nodetest.CallAs(n, n.Agent("of "+n.Name), message.Check, message.CheckRequest{})
	return slices.ContainsFunc(got.Messages, func(m message.Received) bool { return strings.Contains(m.Body, toAll) })
}

// speech is all that a banned member has said.
type speech struct {
	raw     [][]byte // gossip as it came
	beacons [][]byte // opened, with their first byte
	records [][]byte
	letters [][]byte // as they are posted
	cry     []byte   // the letter to all, as one that goes through the air
}

// listen has a member say something of every kind, and keeps it all. The member ends.
func (r *recorder) listen(t *testing.T, n *nodetest.Node) (s speech) {
	t.Helper()
	r.Meet(r.find(t, n.Name))
	c := n.Agent("c")
	put(n, c, "after")
	send(n, c, "@all", toAll)
	send(n, c, "eve", "words for eve")
	nodetest.CallAs(n, c, presence.Summary, presence.SummaryRequest{Summary: "still here"})
	cry := letter.Cry{}
	looks := 0
	n.Wait("heard by eve", func() bool {
		// What is shouted before eve's router is heard of, she is never told by a shout.
		if looks++; looks%100 == 0 {
			send(n, c, "@all", toAll)
		}
		s = r.sort(t)
		cry.Letter = forAll(s.letters)
		return len(s.beacons) > 0 && len(s.letters) >= 2 && (cry.Letter != nil || s.cry != nil)
	})
	r.exchange(t, n.Name)
	s.records = r.recordsOf(t, n.Name)
	n.Stop()
	if s.cry != nil {
		return s // it came through the air
	}
	bad := turn(t, n, false) // for its signature on the way through the air
	for key := range bad.Mesh.State().Members {
		cry.Members = append(cry.Members, key)
	}
	s.cry = bad.Mesh.Sign(letter.KindCry, cry.Encode()).Marshal()
	return s
}

// forAll finds the letter to all, as one that goes through the air.
func forAll(letters [][]byte) []byte {
	for _, raw := range letters {
		l, _, err := letter.Parse(raw)
		if err == nil && l != nil && len(l.Addresses) == 1 && l.Addresses[0].Index == letter.Everyone {
			l.Addresses[0].Prev = 0
			return l.Pack()
		}
	}
	return nil
}

// find is where a renegade believes a member's node to be.
func (r *recorder) find(t *testing.T, name string) (at peer.AddrInfo) {
	t.Helper()
	member := r.member(t, name)
	home, ok := r.Mesh.Home(member)
	if !ok {
		t.Fatalf("no home of %s is known", name)
	}
	at.ID = home
	for _, text := range r.Mesh.Homes()[home] {
		addr, err := ma.NewMultiaddr(text)
		nodetest.Must(t, err)
		if transport, _ := peer.SplitAddr(addr); transport != nil {
			addr = transport
		}
		at.Addrs = append(at.Addrs, addr)
	}
	return at
}

func (r *recorder) member(t *testing.T, name string) ident.PublicKey {
	t.Helper()
	for key, m := range r.Mesh.State().Members {
		if m.Name == name {
			return key
		}
	}
	t.Fatalf("%s is no member", name)
	return ident.PublicKey{}
}

// sort opens what was shouted and posted until now.
func (r *recorder) sort(t *testing.T) (s speech) {
	t.Helper()
	s.raw, s.letters = r.heard(), r.posted()
	for _, payload := range s.raw {
		plain, _, err := r.Mesh.OpenGossip(payload)
		nodetest.Must(t, err)
		switch plain[0] {
		case sayBeacon:
			s.beacons = append(s.beacons, plain)
		case sayLetter:
			s.cry = plain[1:]
		}
	}
	return s
}

// exchange exchanges records with somebody's node.
func (r *recorder) exchange(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	home, _ := r.Mesh.Home(r.member(t, name))
	// A node that is about to open one itself refuses others': then it is tried again.
	nodetest.Must(t, harness.Until(ctx, func() (bool, any, error) {
		stream, err := r.Open(ctx, r.Mesh.ID(), home, replica.Proto)
		if err != nil {
			return false, err, nil
		}
		got, err := r.tables.Exchange(ctx, wire.NewConn(stream), true)
		if err != nil {
			stream.Reset()
			return false, err, nil
		}
		stream.Close()
		t.Logf("records with %s: %d given, %d got", name, got.Sent, got.Received)
		return true, nil, nil
	}))
}

// recordsOf are the records of a member that a renegade has, in their order, as they
// are shouted.
func (r *recorder) recordsOf(t *testing.T, name string) (out [][]byte) {
	t.Helper()
	author := r.Mesh.State().Members[r.member(t, name)].Keys.Blind
	var all []replica.Record
	disk := shelf{r.DB, r.Mesh.ID().String()}
	nodetest.Must(t, disk.View(func(tx replica.Tx) (err error) {
		r.tables.Slots(tx, replica.Slot{}, func(s replica.Slot) bool {
			var here []replica.Record
			here, err = r.tables.Slot(tx, s)
			all = append(all, here...)
			return err == nil
		})
		return err
	}))
	all = slices.DeleteFunc(all, func(rec replica.Record) bool { return rec.Log.Author != author })
	slices.SortFunc(all, func(a, b replica.Record) int { return cmp.Compare(a.N, b.N) })
	for _, rec := range all {
		out = append(out, append([]byte{sayRecord}, rec.Raw()...))
	}
	if len(out) < 2 { // what it says of itself, and the plan
		t.Fatalf("%s wrote %d records", name, len(out))
	}
	return out
}

// whispers brings a speech to a node, in all ways there are, and returns when that has
// judged it.
func (r *recorder) whispers(t *testing.T, s speech, n *nodetest.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	at := r.find(t, n.Name)
	r.Meet(at)
	n.Wait("in agreement with eve", func() bool { return members(n) == len(r.Mesh.State().Members) })

	r.exchange(t, n.Name)
	for _, payload := range s.raw {
		nodetest.Must(t, r.Gossip.Shout(ctx, payload))
	}
	for _, plain := range slices.Concat(s.records, s.beacons, [][]byte{append([]byte{sayLetter}, s.cry...)}) {
		payload, err := r.Mesh.SealGossip(plain)
		nodetest.Must(t, err)
		nodetest.Must(t, r.Gossip.Shout(ctx, payload))
	}
	known := refused(n, "letter")
	nodetest.Must(t, r.mail.Send(ctx, r.Mesh.ID(), r.member(t, n.Name), s.letters...))
	n.Wait("of an opinion on letters", func() bool { return refused(n, "letter") >= known+uint64(len(s.letters)) })
	r.fence(ctx, t, n)
}

// fence has something of the accomplice's own refused, and thereby all that was shouted
// before it judged.
func (r *recorder) fence(ctx context.Context, t *testing.T, n *nodetest.Node) {
	t.Helper()
	self := r.Mesh.Self()
	payload, err := r.Mesh.SealGossip(fmt.Appendf(append([]byte{sayBeacon}, self[:]...), "no beacon for %s", n.Name))
	nodetest.Must(t, err)
	known := refused(n, "beacon")
	nodetest.Must(t, r.Gossip.Shout(ctx, payload))
	n.Wait("of an opinion on what was shouted", func() bool { return refused(n, "beacon") > known })
}

// refused is how often a node has refused something for a reason.
func refused(n *nodetest.Node, reason string) (count uint64) {
	for name, times := range nodetest.Call(n, audit.Query, audit.QueryRequest{}).Refused {
		if strings.Contains(name, reason) {
			count += times
		}
	}
	return count
}

// takesMail has letters opened instead of recorded, and records kept, whoever wrote them.
func (r *recorder) takesMail(t *testing.T) {
	t.Helper()
	r.mail = post.New(post.Config{
		Streams: post.OverHost(r.Host, func(_ ident.MeshID, member ident.PublicKey) (peer.ID, bool) { return r.Mesh.Home(member) }),
		Keys:    renegade.Keys{Mesh: r.Mesh.Mesh},
		Deliver: func(_ context.Context, _ ident.MeshID, _ ident.PublicKey, letters [][]byte) ([]byte, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.letters = append(r.letters, letters...)
			return nil, nil
		},
		Receipt: func(context.Context, ident.MeshID, ident.PublicKey, []byte) {},
		Told:    func(context.Context, ident.MeshID, ident.PublicKey, []byte) {},
	})
	r.mail.Register(r.Host)
	var err error
	r.tables, err = replica.New(replica.Config{Disk: shelf{r.DB, r.Mesh.ID().String()}, Authors: everybody{}})
	nodetest.Must(t, err)
	renegade.Live(t, r.mail.Run)
}

// shelf is a renegade's tables of records.
type shelf struct {
	db   *store.DB
	mesh string
}

// Update implements replica.Disk.
func (s shelf) Update(ctx context.Context, fn func(replica.Tx) error) error {
	return s.db.Update(ctx, func(tx *store.Tx) error { return fn(records.Open(tx, s.mesh)) })
}

// View implements replica.Disk.
func (s shelf) View(fn func(replica.Tx) error) error {
	return s.db.View(func(tx *store.Tx) error { return fn(records.Open(tx, s.mesh)) })
}

// everybody holds every author for a member.
type everybody struct{}

// Standing implements replica.Authors.
func (everybody) Standing(ident.PublicKey) replica.Standing { return replica.Standing{Member: true} }
