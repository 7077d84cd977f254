package lies_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// errTaken says that a lie was believed.
var errTaken = errors.New("it is believed")

func believed(yes bool) error {
	if yes {
		return nil
	}
	return errors.New("not believed")
}

// on is a handshake of eve's node with cy's.
func on() trust.Transcript {
	return trust.Transcript{Dir: trust.DirInitiator, I: [32]byte{1}, R: [32]byte{2}, PeerI: []byte("node of eve"), PeerR: []byte("node of cy")}
}

// prove has by show a proof and a binding; said is the connection as the other sees it.
func (w *world) prove(by ident.PrivateKey, claimed, said trust.Transcript, b trust.Bind, bindBy ident.PrivateKey) error {
	id := w.log.Mesh()
	bind := trust.SignBind(id, bindBy, b)
	proof := trust.SignProof(id, by, claimed, w.log.Heads(), bind.ID())
	_, _, err := trust.CheckProof(id, proof, bind, said, day0)
	return err
}

func home(peer string) trust.Bind {
	return trust.Bind{Peer: []byte(peer), Gen: 1, Until: day0.Add(time.Hour)}
}

// attest is what eve says of a session.
func (w *world) attest(a trust.Attest) (trust.Attest, error) {
	return trust.CheckAttest(w.log.Mesh(), trust.SignAttest(w.log.Mesh(), w.eve.key, a))
}

func session(rights trust.Rights) trust.Attest {
	return trust.Attest{Session: person(8).pub, Name: "s", Rights: rights, From: day0, Until: day0.Add(time.Hour), Seq: 1}
}

// as signs a body with eve's key, under a kind.
func (w *world) as(kind ident.Kind, body []byte) ident.Statement {
	return ident.Sign(kind, w.log.Mesh(), body, w.eve.key)
}

// sent is a record that somebody signed, changed on its way by whoever passes it on.
func (w *world) sent(by ident.PrivateKey, n uint64, change func(raw []byte) []byte) error {
	h := replica.Header{Log: replica.Log{Author: by.Public(), Inc: 1}, N: n, Slot: replica.Slot{1}, Clock: 1 << 20}
	r, err := replica.Make(by, h, []byte("a sealed text"))
	if err != nil {
		return err
	}
	raw := change(bytes.Clone(r.Raw()))
	if n > 0 && bytes.Equal(raw, r.Raw()) {
		return errTaken // a lie that tells nothing
	}
	if r, err = replica.Parse(raw); err != nil {
		return err
	}
	return r.Verify()
}

// swap puts one key, or text, in another's place.
func swap[T ~[]byte](a, b T) func([]byte) []byte {
	return func(raw []byte) []byte { return bytes.Replace(raw, a, b, 1) }
}

// statementLies are words of members that no judge believes.
var statementLies = map[string]func(w *world) error{
	"a binding in another's name": func(w *world) error {
		b := home("node of eve")
		b.Member = w.cy.pub
		_, err := trust.CheckBind(w.log.Mesh(), w.as(ident.KindBind, b.Encode()))
		return err
	},
	"a binding signed for another mesh": func(w *world) error {
		_, err := trust.CheckBind(w.log.Mesh(), trust.SignBind(ident.MeshID{9}, w.eve.key, home("node of eve")))
		return err
	},
	"an older generation": func(w *world) error {
		old, now := home("z"), home("a")
		now.Gen = 2
		return believed(old.Newer(now))
	},
	"a binding over 30 days": func(w *world) error {
		b := home("node of eve")
		b.Until = day0.Add(40 * 24 * time.Hour)
		return w.prove(w.eve.key, on(), on(), b, w.eve.key)
	},
	"a binding that is over": func(w *world) error {
		b := home("node of eve")
		b.Until = day0.Add(-time.Hour)
		return w.prove(w.eve.key, on(), on(), b, w.eve.key)
	},
	"a home that is another node": func(w *world) error {
		return w.prove(w.eve.key, on(), on(), home("node of cy"), w.eve.key)
	},
	"a proof with another's binding": func(w *world) error {
		return w.prove(w.eve.key, on(), on(), home("node of eve"), w.cy.key)
	},
	"a proof in another's name": func(w *world) error {
		id := w.log.Mesh()
		bind := trust.SignBind(id, w.cy.key, home("node of eve"))
		p := trust.Proof{Member: w.cy.pub, On: on(), Heads: w.log.Heads(), Bind: bind.ID()}
		_, _, err := trust.CheckProof(id, w.as(ident.KindProof, p.Encode()), bind, on(), day0)
		return err
	},
	"a proof of another connection": func(w *world) error {
		said := on()
		said.R = [32]byte{3}
		return w.prove(w.eve.key, on(), said, home("node of eve"), w.eve.key)
	},
	"a proof given back": func(w *world) error {
		said := on()
		said.Dir = trust.DirResponder
		return w.prove(w.eve.key, on(), said, home("node of eve"), w.eve.key)
	},
	"a proof passed on": func(w *world) error {
		said := on()
		said.PeerI = []byte("node of bob")
		return w.prove(w.eve.key, on(), said, home("node of eve"), w.eve.key)
	},
	"a proof for another mesh": func(w *world) error {
		bind := trust.SignBind(w.log.Mesh(), w.eve.key, home("node of eve"))
		_, _, err := trust.CheckProof(w.log.Mesh(), trust.SignProof(ident.MeshID{9}, w.eve.key, on(), w.log.Heads(), bind.ID()), bind, on(), day0)
		return err
	},
	"a delivery key in another's name": func(w *world) error {
		d := trust.Delivery{Member: w.cy.pub, Gen: 1, Seq: 1, Key: trust.KeysOf(w.eve.seed).Seal, Created: day0}
		_, err := trust.CheckDelivery(w.log.Mesh(), w.as(ident.KindDelivery, d.Encode()))
		return err
	},
	"a delivery key of before": func(w *world) error {
		return believed(trust.Delivery{Gen: 1, Seq: 1}.Newer(trust.Delivery{Gen: 1, Seq: 2}))
	},
	"a delivery key of an older home": func(w *world) error {
		return believed(trust.Delivery{Gen: 1, Seq: 9}.Newer(trust.Delivery{Gen: 2, Seq: 1}))
	},
	"a delivery key that is none": func(w *world) error {
		_, err := trust.CheckDelivery(w.log.Mesh(), trust.SignDelivery(w.log.Mesh(), w.eve.key, trust.Delivery{Gen: 1, Seq: 1, Key: []byte("short"), Created: day0}))
		return err
	},
	"another's session": func(w *world) error {
		a := session(trust.AllRights)
		a.Member = w.cy.pub
		_, err := trust.CheckAttest(w.log.Mesh(), w.as(ident.KindAttest, a.Encode()))
		return err
	},
	"an attestation over a day": func(w *world) error {
		a := session(trust.AllRights)
		a.Until = a.From.Add(25 * time.Hour)
		_, err := w.attest(a)
		return err
	},
	"an attestation for another mesh": func(w *world) error {
		_, err := trust.CheckAttest(w.log.Mesh(), trust.SignAttest(ident.MeshID{9}, w.eve.key, session(trust.AllRights)))
		return err
	},
	"an attestation after its time": func(w *world) error {
		a, err := w.attest(session(trust.AllRights))
		return errors.Join(err, a.Allows(day0.Add(2*time.Hour), 0))
	},
	"an attestation before its time": func(w *world) error {
		a, err := w.attest(session(trust.AllRights))
		return errors.Join(err, a.Allows(day0.Add(-2*time.Hour), 0))
	},
	"a right that a session has not": func(w *world) error {
		a, err := w.attest(session(trust.RightStateRead))
		return errors.Join(err, a.Allows(day0.Add(time.Minute), trust.RightSend))
	},
	"a stream of another connection": func(w *world) error {
		s := trust.Stream{ProofI: ident.ID{1}, ProofR: ident.ID{2}, Dir: trust.DirInitiator, Enc: make([]byte, 1120)}
		_, err := trust.CheckStream(w.log.Mesh(), trust.SignStream(w.log.Mesh(), w.eve.key, s), ident.ID{1}, ident.ID{3}, trust.DirInitiator)
		return err
	},
	"a stream turned round": func(w *world) error {
		s := trust.Stream{ProofI: ident.ID{1}, ProofR: ident.ID{2}, Dir: trust.DirInitiator, Enc: make([]byte, 1120)}
		_, err := trust.CheckStream(w.log.Mesh(), trust.SignStream(w.log.Mesh(), w.eve.key, s), ident.ID{1}, ident.ID{2}, trust.DirResponder)
		return err
	},
	"a message with another session's name on it": func(w *world) error {
		return w.as(ident.KindMessage, []byte("a message")).Verify(ident.KindMessage, w.log.Mesh(), person(8).pub)
	},
	"a message changed on its way": func(w *world) error {
		st := w.as(ident.KindMessage, []byte("pay 10"))
		st.Body = []byte("pay 1000")
		return st.Verify(ident.KindMessage, w.log.Mesh(), w.eve.pub)
	},
	"a message of another mesh": func(w *world) error {
		return w.as(ident.KindMessage, []byte("a message")).Verify(ident.KindMessage, ident.MeshID{9}, w.eve.pub)
	},
	"a beacon shown as a message": func(w *world) error {
		return w.as(ident.KindBeacon, []byte("body")).Verify(ident.KindMessage, w.log.Mesh(), w.eve.pub)
	},
	"a signature twice": func(w *world) error {
		st := ident.Sign(ident.KindMessage, w.log.Mesh(), []byte("m"), w.eve.key, w.eve.key)
		return st.Verify(ident.KindMessage, w.log.Mesh(), w.eve.pub)
	},
	"a receipt in another's name": func(w *world) error {
		body := letter.Receipt{Signer: w.cy.pub}.Encode()
		return w.as(ident.KindReceipt, body).Verify(ident.KindReceipt, w.log.Mesh(), w.cy.pub)
	},
	"a key of small order": func(w *world) error {
		_, err := ident.ParsePublicKey(make([]byte, 32))
		return err
	},
	"a record in another's log": func(w *world) error {
		own, other := w.eve.seed.Blind().Public(), w.cy.seed.Blind().Public()
		return w.sent(w.eve.seed.Blind(), 1, swap(own[:], other[:]))
	},
	"a record with another's text": func(w *world) error {
		return w.sent(w.cy.seed.Blind(), 1, swap([]byte("a sealed text"), []byte("another text!")))
	},
	"a record under another number": func(w *world) error {
		return w.sent(w.cy.seed.Blind(), 0x0102030405, swap([]byte{1, 2, 3, 4, 5}, []byte{1, 2, 3, 4, 6}))
	},
	"a record for another slot": func(w *world) error {
		one, two := replica.Slot{1}, replica.Slot{2}
		return w.sent(w.cy.seed.Blind(), 1, swap(one[:], two[:]))
	},
	"a record of number 0": func(w *world) error {
		return w.sent(w.cy.seed.Blind(), 0, func(raw []byte) []byte { return raw })
	},
	"an entry in another's audit": func(w *world) error {
		k := (&audit.Feature{}).Kinds()[0]
		return believed(k.Writes(w.log.Mesh(), w.eve.pub, w.cy.pub.String()+"/000000000001"))
	},
	"an audit entry that is none": func(w *world) error {
		return (&audit.Feature{}).Kinds()[0].Check([]byte(`{"event":"mesh_made"}`))
	},
}

func TestLiesInStatements(t *testing.T) {
	lied(t, len(logLies)+len(statementLies), 60)
	for name, lie := range statementLies {
		t.Run(name, func(t *testing.T) {
			if err := lie(newWorld(t)); err == nil || errors.Is(err, errTaken) {
				t.Error("it is believed")
			}
		})
	}
}
