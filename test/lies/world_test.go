package lies_test

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// someone is a person with all its keys.
type someone struct {
	seed ident.Seed
	key  ident.PrivateKey
	pub  ident.PublicKey
}

func person(n byte) someone {
	seed := ident.Seed{n}
	return someone{seed, seed.Member(), seed.Member().Public()}
}

// world is a mesh: ana owns it, bob and ann are admins, eve is a member and lies, cy is
// a member, dan is nobody.
type world struct {
	t                           testing.TB
	now                         time.Time
	log                         *trust.Log
	ring                        *trust.Keyring
	ana, bob, ann, eve, cy, dan someone
	inviteKey                   ident.PrivateKey // of the open invite
	open, once                  ident.ID         // invites: of five uses, of one, both bob's
	wide                        ident.ID         // an entry of the owner

	// What somebody said truly, and lies turn round. Of a connection of eve's node, what
	// the other side sees of it; of a stream on it, what opens it; a message of eve's to
	// the other side's member, by a session of eve's.
	on      trust.Transcript
	stream  trust.Stream
	message letter.Message
	session someone
}

// newWorld is a world that nobody but this test knows of.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ring: trust.NewKeyring(), ana: person(1), eve: person(3)}
	g, err := trust.CreateGenesis(w.ana.seed, "team", "ana", w.now, [32]byte{0xee})
	nodetest.Must(t, err)
	w.log, err = trust.NewLog(g)
	nodetest.Must(t, err)
	nodetest.Must(t, w.ring.Put(w.log, g.ID(), [32]byte{0xee}))
	w.people()
	all := w.invites(w.ana, trust.RoleMember, 1)
	w.must(w.log.SignAdmit(w.ana.key, trust.Admit{Claim: w.claim(w.eve, all), Invite: all, Name: "eve"}, w.now))
	w.on = trust.Transcript{Dir: trust.DirInitiator, I: [32]byte{1}, R: [32]byte{2}, PeerI: []byte("node of eve"), PeerR: []byte("node of ana")}
	w.stream = trust.Stream{Member: w.eve.pub, ProofI: ident.ID{1}, ProofR: ident.ID{2}, Dir: trust.DirInitiator, Enc: make([]byte, seal.EncSize)}
	return w
}

// people lets all but the owner and eve in, and makes what lies are about.
func (w *world) people() {
	w.t.Helper()
	w.bob, w.cy, w.dan, w.ann, w.session = person(2), person(4), person(5), person(6), person(8)
	w.inviteKey = ident.PrivateKeyFromSeed([32]byte{0xaa})
	all := w.invites(w.ana, trust.RoleMember, 10)
	for name, p := range map[string]someone{"bob": w.bob, "ann": w.ann, "cy": w.cy} {
		w.must(w.log.SignAdmit(w.ana.key, trust.Admit{Claim: w.claim(p, all), Invite: all, Name: name}, w.now))
	}
	w.must(w.log.SignRole(w.ana.key, w.bob.pub, trust.RoleAdmin, w.now))
	w.must(w.log.SignRole(w.ana.key, w.ann.pub, trust.RoleAdmin, w.now))
	w.open, w.once = w.invites(w.bob, trust.RoleMember, 5), w.invites(w.bob, trust.RoleMember, 1)
	w.wide = w.must(w.log.SignSet(w.ana.key, "color", "green", w.now)).ID()
	w.message = letter.Message{
		ID: letter.ID{1}, Origin: w.eve.pub, Session: w.session.pub, Reach: letter.Direct, To: []ident.PublicKey{w.ana.pub},
		Priority: delivery.Next, Body: "pay 10", Cause: [16]byte{1}, Created: w.now.Truncate(time.Millisecond), TTL: time.Hour,
	}
}

func (w *world) invites(by someone, role trust.Role, uses int) ident.ID {
	w.t.Helper()
	return w.must(w.log.SignInvite(by.key, trust.Invite{
		Key: w.inviteKey.Public(), Role: role, Uses: uses, Expires: w.now.Add(24 * time.Hour), Admitter: by.pub,
	}, w.now)).ID()
}

func (w *world) claim(p someone, invite ident.ID) ident.Statement {
	return trust.SignClaim(w.log.Mesh(), p.seed, w.inviteKey, trust.Claim{Invite: invite, Peer: []byte("peer of a node"), Name: "somebody"})
}

// must adds an entry to the log.
func (w *world) must(e trust.Entry, err error) trust.Entry {
	w.t.Helper()
	nodetest.Must(w.t, err)
	_, err = w.log.Add(e)
	nodetest.Must(w.t, err)
	return e
}

// head is that of an entry somebody makes on top of everything.
func (w *world) head(signer someone) trust.Head {
	return trust.Head{Signer: signer.pub, Parents: w.log.Heads(), Time: w.now}
}

// forge makes an entry of any body, whatever its maker may. It is signed by whoever
// lies, in this mesh or another.
func (w *world) forge(by someone, mesh ident.MeshID, body trust.Body) ([]byte, error) {
	var f ident.Fields
	f.Bytes(1, ident.Sign(body.Kind(), mesh, body.Encode(), by.key).Marshal())
	return f.Body(), nil
}

// copyLog is another node's log with the same entries.
func (w *world) copyLog() *trust.Log {
	w.t.Helper()
	l, err := trust.LoadLog(w.log.Entries())
	nodetest.Must(w.t, err)
	return l
}
