package lies_test

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// day0 is when the mesh was made.
var day0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

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
	t                           *testing.T
	log                         *trust.Log
	ring                        *trust.Keyring
	ana, bob, ann, eve, cy, dan someone
	inviteKey                   ident.PrivateKey // of the open invite
	open, once                  ident.ID         // invites: of five uses, of one, both bob's
	wide                        ident.ID         // an entry of the owner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ring: trust.NewKeyring(), ana: person(1), bob: person(2), eve: person(3), cy: person(4), dan: person(5), ann: person(6)}
	w.inviteKey = ident.PrivateKeyFromSeed([32]byte{0xaa})
	g, err := trust.CreateGenesis(w.ana.seed, "team", "ana", day0, [32]byte{0xee})
	if err != nil {
		t.Fatal(err)
	}
	if w.log, err = trust.NewLog(g); err != nil {
		t.Fatal(err)
	}
	if err := w.ring.Put(w.log, g.ID(), [32]byte{0xee}); err != nil {
		t.Fatal(err)
	}
	all := w.invites(w.ana, trust.RoleMember, 10)
	for name, p := range map[string]someone{"bob": w.bob, "ann": w.ann, "eve": w.eve, "cy": w.cy} {
		w.must(w.log.SignAdmit(w.ana.key, trust.Admit{Claim: w.claim(p, all), Invite: all, Name: name}, day0))
	}
	w.must(w.log.SignRole(w.ana.key, w.bob.pub, trust.RoleAdmin, day0))
	w.must(w.log.SignRole(w.ana.key, w.ann.pub, trust.RoleAdmin, day0))
	w.open, w.once = w.invites(w.bob, trust.RoleMember, 5), w.invites(w.bob, trust.RoleMember, 1)
	w.wide = w.must(w.log.SignSet(w.ana.key, "color", "green", day0)).ID()
	return w
}

func (w *world) invites(by someone, role trust.Role, uses int) ident.ID {
	w.t.Helper()
	return w.must(w.log.SignInvite(by.key, trust.Invite{
		Key: w.inviteKey.Public(), Role: role, Uses: uses, Expires: day0.Add(24 * time.Hour), Admitter: by.pub,
	}, day0)).ID()
}

func (w *world) claim(p someone, invite ident.ID) ident.Statement {
	return trust.SignClaim(w.log.Mesh(), p.seed, w.inviteKey, trust.Claim{Invite: invite, Peer: []byte("peer of a node"), Name: "somebody"})
}

// must adds an entry to the log.
func (w *world) must(e trust.Entry, err error) trust.Entry {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.log.Add(e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

// head is that of an entry somebody makes on top of everything.
func (w *world) head(signer someone) trust.Head {
	return trust.Head{Signer: signer.pub, Parents: w.log.Heads(), Time: day0}
}

// forge makes an entry of any body, whatever its maker may. It is signed by whoever
// lies, in this mesh or another.
func (w *world) forge(by someone, mesh ident.MeshID, body trust.Body) (trust.Entry, error) {
	var f ident.Fields
	f.Bytes(1, ident.Sign(body.Kind(), mesh, body.Encode(), by.key).Marshal())
	return trust.ParseEntry(f.Body())
}

// copyLog is another node's log with the same entries.
func (w *world) copyLog() *trust.Log {
	w.t.Helper()
	l, err := trust.LoadLog(w.log.Entries())
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}
