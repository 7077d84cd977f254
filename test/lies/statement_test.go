package lies_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/audit/chain"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// lie is what a member says that is not so.
type lie struct {
	// say makes it, as the parts that its way is made of; see ways.
	say func(w *world) [][]byte
	by  way
	// alone says why it is told to no node; empty: it is.
	alone string
}

// old is why what was true once is told to no node.
const old = "it was true once, and comes late from honest nodes, too: it changes nothing, and nobody is blamed"

// one is a single part.
func one(st ident.Statement) [][]byte { return [][]byte{st.Marshal()} }

// as signs a body with eve's key, under a kind.
func (w *world) as(kind ident.Kind, body []byte) ident.Statement {
	return ident.Sign(kind, w.log.Mesh(), body, w.eve.key)
}

// home is a binding to the node that the connection is eve's of.
func (w *world) home() trust.Bind {
	return trust.Bind{Peer: w.on.Prover(), Gen: 1 << 40, Until: w.now.Add(time.Hour)}
}

// prove has by show a proof of a connection, and a binding of somebody's.
func (w *world) prove(by ident.PrivateKey, on trust.Transcript, b trust.Bind, bindBy ident.PrivateKey) [][]byte {
	id := w.log.Mesh()
	bind := trust.SignBind(id, bindBy, b)
	return [][]byte{trust.SignProof(id, by, on, w.log.Heads(), bind.ID()).Marshal(), bind.Marshal()}
}

// vouch is what eve says of her session.
func (w *world) vouch(rights trust.Rights) trust.Attest {
	return trust.Attest{Member: w.eve.pub, Session: w.session.pub, Name: "s", Rights: rights, From: w.now.Add(-time.Hour), Until: w.now.Add(time.Hour), Seq: 1}
}

func (w *world) vouches(a trust.Attest) [][]byte {
	return one(trust.SignAttest(w.log.Mesh(), w.eve.key, a))
}

// writes is a message as eve's session signs it, and what vouches for the session.
func (w *world) writes(m letter.Message) [][]byte {
	return w.signed(ident.Sign(ident.KindMessage, w.log.Mesh(), m.Encode(), w.session.key))
}

func (w *world) signed(st ident.Statement) [][]byte {
	return [][]byte{st.Marshal(), w.vouches(w.vouch(trust.AllRights))[0]}
}

// sent is a record that somebody signed, changed on its way by whoever passes it on.
func (w *world) sent(by ident.PrivateKey, n uint64, change func(raw []byte) []byte) [][]byte {
	h := replica.Header{Log: replica.Log{Author: by.Public(), Inc: 1 << 40}, N: n, Slot: replica.Slot{1}, Clock: 1 << 20}
	r, err := replica.Make(by, h, []byte("a sealed text"))
	nodetest.Must(w.t, err)
	raw := change(bytes.Clone(r.Raw()))
	if bytes.Equal(raw, r.Raw()) {
		w.t.Fatal("a lie that tells nothing")
	}
	return [][]byte{raw}
}

// swap puts one key, or text, in another's place.
func swap[T ~[]byte](a, b T) func([]byte) []byte {
	return func(raw []byte) []byte { return bytes.Replace(raw, a, b, 1) }
}

// noted is an entry of eve's chain of the account, as a record: its key and value.
func (w *world) noted(event string) [][]byte {
	e := chain.Entry{
		Chain: w.eve.pub.String(), Actor: w.eve.pub.String(), Mesh: w.log.Mesh().String(), Event: event,
		At: chain.Moment(w.now), Data: map[string]string{},
	}
	raw, err := e.After(0, chain.Hash{}).Encode()
	nodetest.Must(w.t, err)
	return [][]byte{[]byte(w.eve.pub.String() + "/000000000001"), raw}
}

// statementLies are words of members that no judge believes.
var statementLies = map[string]lie{
	"a binding in another's name": {by: binds, say: func(w *world) [][]byte {
		b := w.home()
		b.Member = w.cy.pub
		return one(w.as(ident.KindBind, b.Encode()))
	}},
	"a binding signed for another mesh": {by: binds, say: func(w *world) [][]byte {
		return one(trust.SignBind(ident.MeshID{9}, w.eve.key, w.home()))
	}},
	"a binding that is a delivery key": {by: binds, say: func(w *world) [][]byte {
		return one(trust.SignDelivery(w.log.Mesh(), w.eve.key, trust.Delivery{Gen: 1, Seq: 1, Key: trust.KeysOf(w.eve.seed).Seal, Created: w.now}))
	}},
	"an older generation": {alone: old, by: newer(func(w *world) bool {
		before, after := trust.Bind{Peer: []byte("z")}, trust.Bind{Peer: []byte("a"), Gen: 1}
		return before.Newer(after)
	})},
	"a delivery key of before": {alone: old, by: newer(func(*world) bool {
		return trust.Delivery{Gen: 1, Seq: 1}.Newer(trust.Delivery{Gen: 1, Seq: 2})
	})},
	"a delivery key of an older home": {alone: old, by: newer(func(*world) bool {
		return trust.Delivery{Gen: 1, Seq: 9}.Newer(trust.Delivery{Gen: 2, Seq: 1})
	})},
	"a binding over 30 days": {by: proves, say: func(w *world) [][]byte {
		b := w.home()
		b.Until = w.now.Add(40 * 24 * time.Hour)
		return w.prove(w.eve.key, w.on, b, w.eve.key)
	}},
	"a binding that is over": {by: proves, say: func(w *world) [][]byte {
		b := w.home()
		b.Until = w.now.Add(-time.Hour)
		return w.prove(w.eve.key, w.on, b, w.eve.key)
	}},
	"a home that is another node": {by: proves, say: func(w *world) [][]byte {
		b := w.home()
		b.Peer = []byte("node of cy")
		return w.prove(w.eve.key, w.on, b, w.eve.key)
	}},
	"a proof with another's binding": {by: proves, say: func(w *world) [][]byte {
		return w.prove(w.eve.key, w.on, w.home(), w.cy.key)
	}},
	"a proof in another's name": {by: proves, say: func(w *world) [][]byte {
		bind := trust.SignBind(w.log.Mesh(), w.cy.key, w.home())
		p := trust.Proof{Member: w.cy.pub, On: w.on, Heads: w.log.Heads(), Bind: bind.ID()}
		return append(one(w.as(ident.KindProof, p.Encode())), bind.Marshal())
	}},
	"a proof of another connection": {by: proves, say: func(w *world) [][]byte {
		on := w.on
		on.R = [32]byte{3}
		return w.prove(w.eve.key, on, w.home(), w.eve.key)
	}},
	"a proof given back": {by: proves, say: func(w *world) [][]byte {
		on := w.on
		on.Dir = trust.DirInitiator + trust.DirResponder - on.Dir
		return w.prove(w.eve.key, on, w.home(), w.eve.key)
	}},
	"a proof passed on": {by: proves, say: func(w *world) [][]byte {
		on := w.on
		on.PeerI, on.PeerR = []byte("node of bob"), []byte("node of bob")
		return w.prove(w.eve.key, on, w.home(), w.eve.key)
	}},
	"a proof for another mesh": {by: proves, say: func(w *world) [][]byte {
		bind := trust.SignBind(w.log.Mesh(), w.eve.key, w.home())
		return append(one(trust.SignProof(ident.MeshID{9}, w.eve.key, w.on, w.log.Heads(), bind.ID())), bind.Marshal())
	}},
	"a delivery key in another's name": {by: delivers, say: func(w *world) [][]byte {
		d := trust.Delivery{Member: w.cy.pub, Gen: 1, Seq: 1, Key: trust.KeysOf(w.eve.seed).Seal, Created: w.now}
		return one(w.as(ident.KindDelivery, d.Encode()))
	}},
	"a delivery key that is none": {by: delivers, say: func(w *world) [][]byte {
		return one(trust.SignDelivery(w.log.Mesh(), w.eve.key, trust.Delivery{Gen: 1, Seq: 1, Key: []byte("short"), Created: w.now}))
	}},
	"a delivery key of another's, shown as one's own": {by: delivers, say: func(w *world) [][]byte {
		return one(trust.SignDelivery(w.log.Mesh(), w.cy.key, trust.Delivery{Gen: 1, Seq: 1, Key: trust.KeysOf(w.cy.seed).Seal, Created: w.now}))
	}},
	"a delivery key in another's name, with a proof": {by: greets, say: func(w *world) [][]byte {
		b := w.home()
		b.Gen = 0 // it is not to be taken for her home
		d := trust.Delivery{Member: w.cy.pub, Gen: 1, Seq: 1, Key: trust.KeysOf(w.eve.seed).Seal, Created: w.now}
		return append(w.prove(w.eve.key, w.on, b, w.eve.key), w.as(ident.KindDelivery, d.Encode()).Marshal())
	}},
	"another's session": {by: vouchesFor, say: func(w *world) [][]byte {
		a := w.vouch(trust.AllRights)
		a.Member = w.cy.pub
		return one(w.as(ident.KindAttest, a.Encode()))
	}},
	"a session of another's, as one's own": {by: vouchesFor, say: func(w *world) [][]byte {
		return one(trust.SignAttest(w.log.Mesh(), w.cy.key, w.vouch(trust.AllRights)))
	}},
	"an attestation over a day": {by: vouchesFor, say: func(w *world) [][]byte {
		a := w.vouch(trust.AllRights)
		a.Until = a.From.Add(25 * time.Hour)
		return w.vouches(a)
	}},
	"an attestation for another mesh": {by: vouchesFor, say: func(w *world) [][]byte {
		return one(trust.SignAttest(ident.MeshID{9}, w.eve.key, w.vouch(trust.AllRights)))
	}},
	"an attestation after its time": {by: vouchesFor, say: func(w *world) [][]byte {
		a := w.vouch(trust.AllRights)
		a.From, a.Until = w.now.Add(-3*time.Hour), w.now.Add(-2*time.Hour)
		return w.vouches(a)
	}},
	"an attestation before its time": {by: vouchesFor, say: func(w *world) [][]byte {
		a := w.vouch(trust.AllRights)
		a.From, a.Until = w.now.Add(2*time.Hour), w.now.Add(3*time.Hour)
		return w.vouches(a)
	}},
	"an attestation that was ended": {by: vouchesFor, say: func(w *world) [][]byte {
		a := w.vouch(trust.AllRights)
		a.Until = time.Time{}
		return w.vouches(a)
	}},
	"a right that a session has not": {by: vouchesFor, say: func(w *world) [][]byte {
		return w.vouches(w.vouch(trust.RightStateRead))
	}},
	"a stream of another connection": {by: streams, say: func(w *world) [][]byte {
		s := w.stream
		s.ProofR = ident.ID{3}
		return one(trust.SignStream(w.log.Mesh(), w.eve.key, s))
	}},
	"a stream turned round": {by: streams, say: func(w *world) [][]byte {
		s := w.stream
		s.Dir = trust.DirInitiator + trust.DirResponder - s.Dir
		return one(trust.SignStream(w.log.Mesh(), w.eve.key, s))
	}},
	"a stream with another's signature": {by: streams, say: func(w *world) [][]byte {
		return one(ident.Sign(ident.KindStream, w.log.Mesh(), w.stream.Encode(), w.cy.key))
	}},
	"a message with another session's name on it": {by: writes, say: func(w *world) [][]byte {
		return w.signed(ident.Sign(ident.KindMessage, w.log.Mesh(), w.message.Encode(), w.eve.key))
	}},
	"a message changed on its way": {by: writes, say: func(w *world) [][]byte {
		st := ident.Sign(ident.KindMessage, w.log.Mesh(), w.message.Encode(), w.session.key)
		m := w.message
		m.Body = "pay 1000"
		st.Body = m.Encode()
		return w.signed(st)
	}},
	"a message of another mesh": {by: writes, say: func(w *world) [][]byte {
		return w.signed(ident.Sign(ident.KindMessage, ident.MeshID{9}, w.message.Encode(), w.session.key))
	}},
	"a beacon shown as a message": {by: writes, say: func(w *world) [][]byte {
		return w.signed(ident.Sign(ident.KindBeacon, w.log.Mesh(), w.message.Encode(), w.session.key))
	}},
	"a signature twice": {by: writes, say: func(w *world) [][]byte {
		return w.signed(ident.Sign(ident.KindMessage, w.log.Mesh(), w.message.Encode(), w.session.key, w.session.key))
	}},
	"a message in another member's name": {by: writes, say: func(w *world) [][]byte {
		m := w.message
		m.Origin = w.cy.pub
		return w.writes(m)
	}},
	"a message from next week": {by: writes, say: func(w *world) [][]byte {
		m := w.message
		m.Created = m.Created.Add(7 * 24 * time.Hour)
		return w.writes(m)
	}},
	"a message from before its session": {by: writes, say: func(w *world) [][]byte {
		m := w.message
		m.Created = m.Created.Add(-2 * time.Hour)
		return w.writes(m)
	}},
	"a message to all in another's name": {by: cries, say: func(w *world) [][]byte {
		m := w.message
		m.Origin, m.Reach, m.To, m.Targets = w.cy.pub, letter.Mesh, nil, []string{"*"}
		return w.writes(m)
	}},
	"a receipt in another's name": {by: receipts, say: func(w *world) [][]byte {
		return one(w.as(ident.KindReceipt, letter.Receipt{Signer: w.cy.pub}.Encode()))
	}},
	"a receipt with another's signature": {by: receipts, say: func(w *world) [][]byte {
		return one(ident.Sign(ident.KindReceipt, w.log.Mesh(), letter.Receipt{Signer: w.eve.pub}.Encode(), w.cy.key))
	}},
	"a beacon in another's name": {by: beacons, say: func(w *world) [][]byte {
		b := roster.Beacon{Boot: 1 << 40, Seq: 1, Clock: w.now, Lease: roster.Lease}
		return append([][]byte{w.cy.pub[:]}, one(w.as(ident.KindBeacon, b.Encode()))...)
	}},
	"a key of small order": {by: beacons, say: func(w *world) [][]byte {
		b := roster.Beacon{Boot: 1 << 40, Seq: 1, Clock: w.now, Lease: roster.Lease}
		return append([][]byte{make([]byte, 32)}, one(w.as(ident.KindBeacon, b.Encode()))...)
	}},
	"a record in another's log": {by: passesOn, say: func(w *world) [][]byte {
		own, other := w.eve.seed.Blind().Public(), w.cy.seed.Blind().Public()
		return w.sent(w.eve.seed.Blind(), 1, swap(own[:], other[:]))
	}},
	"a record with another's text": {by: passesOn, say: func(w *world) [][]byte {
		return w.sent(w.cy.seed.Blind(), 1, swap([]byte("a sealed text"), []byte("another text!")))
	}},
	"a record under another number": {by: passesOn, say: func(w *world) [][]byte {
		return w.sent(w.cy.seed.Blind(), 0x0102030405, swap([]byte{1, 2, 3, 4, 5}, []byte{1, 2, 3, 4, 6}))
	}},
	"a record for another slot": {by: passesOn, say: func(w *world) [][]byte {
		a, b := replica.Slot{1}, replica.Slot{2}
		return w.sent(w.cy.seed.Blind(), 1, swap(a[:], b[:]))
	}},
	"a record of number 0": {by: passesOn, say: func(w *world) [][]byte {
		return w.sent(w.cy.seed.Blind(), 0x0102030405, swap([]byte{0, 0, 0, 1, 2, 3, 4, 5}, make([]byte, 8)))
	}},
	"two records under one number": {by: repeats, say: func(w *world) [][]byte {
		h := replica.Header{Log: replica.Log{Inc: 2 << 40}, N: 1, Slot: replica.Slot{3}, Clock: replica.ClockAt(w.now)}
		var out [][]byte
		for _, text := range []string{"for some", "for others"} {
			r, err := replica.Make(w.eve.seed.Blind(), h, []byte(text))
			nodetest.Must(w.t, err)
			out = append(out, r.Raw())
		}
		return out
	}},
	"an entry in another's audit": {by: notes, say: func(w *world) [][]byte {
		return [][]byte{[]byte(w.cy.pub.String() + "/000000000001"), w.noted("mesh_made")[1]}
	}},
	"an audit entry that is none": {by: notes, say: func(w *world) [][]byte {
		return [][]byte{w.noted("mesh_made")[0], []byte(`{"event":"mesh_made"}`)}
	}},
	"an audit entry written anew": {by: rewrites, say: func(w *world) [][]byte {
		return append(w.noted("invite_made"), w.noted("member_admitted")[1])
	}},
}

func TestLiesInStatements(t *testing.T) {
	lied(t, len(logLies)+len(statementLies), 60)
	for name, lie := range statementLies {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var said [][]byte
			if lie.say != nil {
				said = lie.say(w)
			}
			if err := lie.by.judge(w, said); err == nil {
				t.Error("it is believed")
			}
			if lie.say == nil && lie.alone == "" {
				t.Error("nothing is said of it, and not why")
			}
		})
	}
}

// believed is a judge's no.
func believed(yes bool) error {
	if yes {
		return nil
	}
	return errors.New("not believed")
}
