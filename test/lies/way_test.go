package lies_test

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// way is how words come to a node, and what that does about them.
type way struct {
	// judge has the words judged as a node does, and says why they do not hold.
	judge func(w *world, said [][]byte) error
	// tell says them to a node, as said by the world as it is then. Nil: there is no way.
	tell func(l *liar, say func(*world) [][]byte)
	// counted are the reasons that a node may count them under, and as whose.
	counted []told
}

// told is what a lie is counted as.
type told struct{ reason, from string }

func by(reasons ...string) (out []told) {
	for _, r := range reasons {
		out = append(out, told{r, "eve"})
	}
	return out
}

// parsed reads a statement.
func parsed(raw []byte) ident.Statement {
	st, err := ident.ParseStatement(raw, trust.MaxBody)
	if err != nil {
		return ident.Statement{} // which holds for nothing
	}
	return st
}

// newer is no way: a judge compares what is said with what is known.
func newer(is func(w *world) bool) way {
	return way{judge: func(w *world, _ [][]byte) error { return believed(is(w)) }}
}

var (
	// binds: the part is a binding, which a beacon brings.
	binds = way{tell: (*liar).bind, counted: by("binding"), judge: func(w *world, said [][]byte) error {
		_, err := trust.CheckBind(w.log.Mesh(), parsed(said[0]))
		return err
	}}
	// proves: the parts are a proof and a binding, which one shakes hands with. Nobody is
	// proved by then, so nobody is blamed; and a binding whose time is over may be due to a
	// clock.
	proves = way{tell: (*liar).prove, counted: []told{{"proof", nobody}, {"clock", nobody}}, judge: func(w *world, said [][]byte) error {
		_, _, err := trust.CheckProof(w.log.Mesh(), parsed(said[0]), parsed(said[1]), w.on, w.now)
		return err
	}}
	// greets is proves with a delivery key behind.
	greets = way{tell: (*liar).prove, counted: by("delivery_key"), judge: func(w *world, said [][]byte) error {
		return delivers.judge(w, said[2:])
	}}
	// delivers: the part is a delivery key, which a stream of letters opens with.
	delivers = way{tell: (*liar).deliver, counted: by("delivery_key"), judge: func(w *world, said [][]byte) error {
		d, err := trust.CheckDelivery(w.log.Mesh(), parsed(said[0]))
		return errors.Join(err, others(w, d.Member))
	}}
	// vouchesFor: the part is an attestation, which goes with a message of the session's.
	vouchesFor = way{tell: (*liar).vouch, counted: by("message"), judge: func(w *world, said [][]byte) error {
		a, err := trust.CheckAttest(w.log.Mesh(), parsed(said[0]))
		return errors.Join(err, others(w, a.Member), a.Allows(w.now, trust.RightSend))
	}}
	// streams: the part opens a stream of letters.
	streams = way{tell: (*liar).open, counted: by("stream"), judge: func(w *world, said [][]byte) error {
		_, err := trust.CheckStream(w.log.Mesh(), parsed(said[0]), w.stream.ProofI, w.stream.ProofR, w.stream.Dir)
		return err
	}}
	// writes: the parts are a message and what vouches for its session, which make a letter.
	writes = way{tell: (*liar).write, counted: by("message", "letter"), judge: func(w *world, said [][]byte) error {
		st := parsed(said[0])
		m, err := letter.DecodeMessage(st.Body)
		if err != nil {
			return err
		}
		a, err := trust.CheckAttest(w.log.Mesh(), parsed(said[1]))
		return errors.Join(err, others(w, m.Origin), a.Allows(m.Created, trust.RightSend), st.Verify(ident.KindMessage, w.log.Mesh(), m.Session))
	}}
	// cries is writes through the air.
	cries = way{tell: (*liar).cry, counted: by("message"), judge: writes.judge}
	// receipts: the part is one.
	receipts = way{tell: (*liar).receipt, counted: by("letter"), judge: func(w *world, said [][]byte) error {
		st := parsed(said[0])
		r, err := letter.DecodeReceipt(st.Body)
		return errors.Join(err, others(w, r.Signer), st.Verify(ident.KindReceipt, w.log.Mesh(), w.eve.pub))
	}}
	// beacons: the parts are the key it is said to be of, and a beacon.
	beacons = way{tell: (*liar).beacon, counted: by("beacon"), judge: func(w *world, said [][]byte) error {
		key, err := ident.ParsePublicKey(said[0])
		return errors.Join(err, parsed(said[1]).Verify(ident.KindBeacon, w.log.Mesh(), key))
	}}
	// passesOn: the part is a record, which is shouted.
	passesOn = way{tell: (*liar).record, counted: by("record"), judge: func(_ *world, said [][]byte) error {
		r, err := replica.Parse(said[0])
		if err != nil {
			return err
		}
		return r.Verify()
	}}
	// repeats: the parts are records, each of which holds.
	repeats = way{tell: (*liar).record, counted: by("number"), judge: func(_ *world, said [][]byte) error {
		a, err := replica.Parse(said[0])
		b, err2 := replica.Parse(said[1])
		if a.Log == b.Log && a.N == b.N && a.Hash() != b.Hash() {
			err = fmt.Errorf("two records under number %d", a.N)
		}
		return errors.Join(err, err2)
	}}
	// notes: the parts are the key and the value of a record of the account.
	notes = way{tell: (*liar).note, counted: by("record"), judge: func(w *world, said [][]byte) error {
		k := (&audit.Feature{}).Kinds()[0]
		return errors.Join(believed(k.Writes(w.log.Mesh(), w.eve.pub, string(said[0]))), k.Check(said[1]))
	}}
	// rewrites: the parts are a key of the account and the values under it, one after the
	// other. That is told of as an event of its own.
	rewrites = way{tell: (*liar).note, counted: by("audit_forked"), judge: func(_ *world, said [][]byte) error {
		return believed(bytes.Equal(said[1], said[2]))
	}}
)

// others is the fault of what eve says in the name of somebody else.
func others(w *world, who ident.PublicKey) error {
	if who != w.eve.pub {
		return errors.New("another's name is on it")
	}
	return nil
}
