package trust

import (
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

var testMesh = ident.MeshID{7}

func TestCheckProof(t *testing.T) {
	ann, bob := who("ann"), who("bob")
	on := Transcript{Dir: DirInitiator, I: [32]byte{1}, R: [32]byte{2}, PeerI: []byte("ann's node"), PeerR: []byte("bob's node")}
	bind := SignBind(testMesh, ann.key, Bind{Peer: []byte("ann's node"), Gen: 1, Until: start.Add(MaxBind)})
	proof := SignProof(testMesh, ann.key, on, []ident.ID{{1}}, bind.ID())
	changed := func(f func(t *Transcript)) Transcript { c := on; f(&c); return c }
	bobsBind := SignBind(testMesh, bob.key, Bind{Peer: []byte("ann's node"), Gen: 1, Until: start.Add(time.Hour)})
	elsewhere := SignBind(testMesh, ann.key, Bind{Peer: []byte("other node"), Gen: 1, Until: start.Add(time.Hour)})
	cases := []struct {
		name        string
		proof, bind ident.Statement
		on          Transcript
		mesh        ident.MeshID
		now         time.Time
		want        error
	}{
		{"right", proof, bind, on, testMesh, start, nil},
		{"other nonce i", proof, bind, changed(func(c *Transcript) { c.I[0]++ }), testMesh, start, ErrProof},
		{"other nonce r", proof, bind, changed(func(c *Transcript) { c.R[0]++ }), testMesh, start, ErrProof},
		{"other direction", proof, bind, changed(func(c *Transcript) { c.Dir = DirResponder }), testMesh, start, ErrProof},
		{"other initiator", proof, bind, changed(func(c *Transcript) { c.PeerI = []byte("x") }), testMesh, start, ErrProof},
		{"other responder", proof, bind, changed(func(c *Transcript) { c.PeerR = []byte("x") }), testMesh, start, ErrProof},
		{"other mesh", proof, bind, on, ident.MeshID{8}, start, ident.ErrSignature},
		{"other binding", proof, elsewhere, on, testMesh, start, ErrProof},
		{"a binding of another", SignProof(testMesh, ann.key, on, nil, bobsBind.ID()), bobsBind, on, testMesh, start, ErrProof},
		{"a binding to another node", SignProof(testMesh, ann.key, on, nil, elsewhere.ID()), elsewhere, on, testMesh, start, ErrProof},
		{"a binding that is over", proof, bind, on, testMesh, start.Add(MaxBind + time.Second), ErrExpired},
		{"a binding that runs too long", proof, bind, on, testMesh, start.Add(-48 * time.Hour), ErrExpired},
		{"another kind", bind, bind, on, testMesh, start, ident.ErrUnknownField},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, b, err := CheckProof(c.mesh, c.proof, c.bind, c.on, c.now)
			if c.want == nil {
				if err != nil || p.Member != ann.pub || b.Gen != 1 || len(p.Heads) != 1 {
					t.Errorf("CheckProof = %+v, %+v, %v", p, b, err)
				}
				return
			}
			if err == nil || !errors.Is(err, c.want) && c.name != "another kind" {
				t.Errorf("CheckProof = %v, want %v", err, c.want)
			}
		})
	}
}

func TestCheckStream(t *testing.T) {
	ann := who("ann")
	s := SignStream(testMesh, ann.key, Stream{ProofI: ident.ID{1}, ProofR: ident.ID{2}, Dir: DirResponder, Enc: make([]byte, seal.EncSize)})
	if got, err := CheckStream(testMesh, s, ident.ID{1}, ident.ID{2}, DirResponder); err != nil || got.Member != ann.pub {
		t.Errorf("CheckStream = %+v, %v", got, err)
	}
	for name, err := range map[string]error{
		"proof i":   second(CheckStream(testMesh, s, ident.ID{9}, ident.ID{2}, DirResponder)),
		"proof r":   second(CheckStream(testMesh, s, ident.ID{1}, ident.ID{9}, DirResponder)),
		"direction": second(CheckStream(testMesh, s, ident.ID{1}, ident.ID{2}, DirInitiator)),
	} {
		if !errors.Is(err, ErrProof) {
			t.Errorf("other %s: %v", name, err)
		}
	}
	if _, err := CheckStream(ident.MeshID{1}, s, ident.ID{1}, ident.ID{2}, DirResponder); !errors.Is(err, ident.ErrSignature) {
		t.Errorf("other mesh: %v", err)
	}
}

func TestNewer(t *testing.T) {
	a, b := who("ann").keys.Seal, who("bob").keys.Seal
	for name, c := range map[string][2]bool{
		"bind: gen":      {Bind{Gen: 2}.Newer(Bind{Gen: 1, Peer: []byte("z")}), true},
		"bind: peer":     {Bind{Gen: 1, Peer: []byte("b")}.Newer(Bind{Gen: 1, Peer: []byte("a")}), true},
		"bind: same":     {Bind{Gen: 1}.Newer(Bind{Gen: 1}), false},
		"delivery: gen":  {Delivery{Gen: 2}.Newer(Delivery{Gen: 1, Seq: 9}), true},
		"delivery: seq":  {Delivery{Gen: 1, Seq: 2}.Newer(Delivery{Gen: 1, Seq: 1}), true},
		"delivery: same": {Delivery{Key: a}.Newer(Delivery{Key: a}), false},
		"delivery: one of two": {Delivery{Key: a}.Newer(Delivery{Key: b}) !=
			Delivery{Key: b}.Newer(Delivery{Key: a}), true},
		"attest: seq":         {Attest{Seq: 2}.Newer(Attest{Seq: 1, Until: start}), true},
		"attest: the end":     {Attest{Seq: 1}.Newer(Attest{Seq: 1, Until: start}), true},
		"attest: fewer":       {Attest{Rights: 1}.Newer(Attest{Rights: 3}), true},
		"attest: not the old": {Attest{Seq: 1}.Newer(Attest{Seq: 2}), false},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %v", name, c[0])
		}
	}
}

func TestAttestAllows(t *testing.T) {
	ann, session := who("ann"), who("bob")
	a := Attest{Session: session.pub, Name: "s", Rights: RightSend | RightProfile, From: start, Until: start.Add(MaxAttest), Seq: 1}
	got, err := CheckAttest(testMesh, SignAttest(testMesh, ann.key, a))
	mustT(t, err)
	if got.Member != ann.pub || got.Principal() != Principal(ann.pub) {
		t.Errorf("attest %+v", got)
	}
	ended := got
	ended.Until = time.Time{}
	for _, c := range []struct {
		name string
		a    Attest
		at   time.Time
		need Rights
		want error
	}{
		{"begins", got, start, RightSend, nil},
		{"ends", got, start.Add(MaxAttest), RightSend | RightProfile, nil},
		{"nothing needed", got, start, 0, nil},
		{"too early", got, start.Add(-time.Millisecond), RightSend, ErrExpired},
		{"too late", got, start.Add(MaxAttest + time.Millisecond), RightSend, ErrExpired},
		{"ended", ended, start, RightSend, ErrExpired},
		{"another right", got, start, RightManage, ErrRight},
		{"one of two", got, start, RightSend | RightManage, ErrRight},
	} {
		if err := c.a.Allows(c.at, c.need); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	got.Guest = [32]byte{4}
	if got.Principal() != GuestPrincipal(ann.pub, [32]byte{4}) || got.Principal() == Principal(ann.pub) {
		t.Error("a guest's principal is its member's")
	}
	d, err := CheckDelivery(testMesh, SignDelivery(testMesh, ann.key, Delivery{Gen: 1, Seq: 2, Key: ann.keys.Seal, Created: start}))
	if err != nil || d.Member != ann.pub || d.Seq != 2 {
		t.Errorf("delivery %+v, %v", d, err)
	}
	for name, err := range map[string]error{
		"attest":   second(CheckAttest(ident.MeshID{}, SignAttest(testMesh, ann.key, a))),
		"bind":     second(CheckBind(ident.MeshID{}, SignBind(testMesh, ann.key, Bind{Peer: []byte("p")}))),
		"delivery": second(CheckDelivery(ident.MeshID{}, SignDelivery(testMesh, ann.key, Delivery{Key: ann.keys.Seal}))),
	} {
		if !errors.Is(err, ident.ErrSignature) {
			t.Errorf("%s of another mesh: %v", name, err)
		}
	}
}
