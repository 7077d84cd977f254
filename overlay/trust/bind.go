package trust

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
)

// MaxBind is how far ahead a binding's end may lie.
const MaxBind = 30 * 24 * time.Hour

// bindSlack is by how much the clocks of two nodes may differ before a long
// binding is refused.
const bindSlack = 24 * time.Hour

// Bind states which node is a member's home. Of several the highest (gen, peer
// id) counts.
type Bind struct {
	// Member is the signer.
	Member ident.PublicKey
	// Peer is the libp2p peer id of the home, in its binary form.
	Peer []byte
	// Gen rises when the member moves or is restored.
	Gen uint64
	// Until ends the binding, at most MaxBind ahead.
	Until time.Time
	// Heads are the heads of the member's admin log, ascending.
	Heads []ident.ID
}

const (
	tagBindMember = 1
	tagBindPeer   = 2
	tagBindGen    = 3
	tagBindUntil  = 4
	tagBindHeads  = 5
)

// Encode writes the signed body.
func (b Bind) Encode() []byte {
	var f ident.Fields
	f.Bytes(tagBindMember, b.Member[:])
	f.Bytes(tagBindPeer, b.Peer)
	f.Uint(tagBindGen, b.Gen)
	f.Uint(tagBindUntil, millis(b.Until))
	writeIDs(&f, tagBindHeads, b.Heads)
	return f.Body()
}

// DecodeBind reads what Encode writes.
func DecodeBind(body []byte) (Bind, error) {
	r, err := read(body, tagBindMember, tagBindPeer, tagBindGen, tagBindUntil, tagBindHeads)
	if err != nil {
		return Bind{}, fmt.Errorf("bind: %w", err)
	}
	r.Need(tagBindMember, tagBindPeer, tagBindGen, tagBindUntil)
	b := Bind{
		Member: r.Key(tagBindMember),
		Peer:   r.Bytes(tagBindPeer, maxPeer),
		Gen:    r.number(tagBindGen),
		Until:  readTime(r, tagBindUntil),
		Heads:  readSortedIDs[ident.ID](r, tagBindHeads, MaxParents),
	}
	r.check(len(b.Peer) > 0, "no peer id")
	if err := r.done(); err != nil {
		return Bind{}, fmt.Errorf("bind: %w", err)
	}
	return b, nil
}

// SignBind makes the statement; Member becomes the signer's key.
func SignBind(mesh ident.MeshID, signer ident.PrivateKey, b Bind) ident.Statement {
	b.Member = signer.Public()
	return ident.Sign(ident.KindBind, mesh, b.Encode(), signer)
}

// CheckBind decodes a binding and verifies its signature.
func CheckBind(mesh ident.MeshID, stmt ident.Statement) (Bind, error) {
	b, err := DecodeBind(stmt.Body)
	if err != nil {
		return Bind{}, err
	}
	return b, stmt.Verify(ident.KindBind, mesh, b.Member)
}

// Valid reports, with ErrExpired, a binding that is over at now or runs longer
// than a binding may.
func (b Bind) Valid(now time.Time) error {
	switch {
	case now.After(b.Until):
		return fmt.Errorf("binding: %w: it ended %s", ErrExpired, b.Until.Format(time.RFC3339))
	case b.Until.Sub(now) > MaxBind+bindSlack:
		return fmt.Errorf("binding: %w: it would run until %s", ErrExpired, b.Until.Format(time.RFC3339))
	}
	return nil
}

// Newer tells whether b counts and o does not, both being of one member.
func (b Bind) Newer(o Bind) bool {
	return cmp.Or(cmp.Compare(b.Gen, o.Gen), bytes.Compare(b.Peer, o.Peer)) > 0
}

// Delivery publishes a member's delivery key. Of several the highest (gen,
// seq) counts.
type Delivery struct {
	// Member is the signer.
	Member ident.PublicKey
	// Gen is the generation of the member's binding.
	Gen uint64
	// Seq counts the keys of one generation.
	Seq uint64
	// Key is the HPKE public key, ident.SealPublicSize bytes.
	Key []byte
	// Created is when it was made, by the member's clock.
	Created time.Time
}

const (
	tagDeliveryMember  = 1
	tagDeliveryGen     = 2
	tagDeliverySeq     = 3
	tagDeliveryKey     = 4
	tagDeliveryCreated = 5
)

// Encode writes the signed body.
func (d Delivery) Encode() []byte {
	var f ident.Fields
	f.Bytes(tagDeliveryMember, d.Member[:])
	f.Uint(tagDeliveryGen, d.Gen)
	f.Uint(tagDeliverySeq, d.Seq)
	f.Bytes(tagDeliveryKey, d.Key)
	f.Uint(tagDeliveryCreated, millis(d.Created))
	return f.Body()
}

// DecodeDelivery reads what Encode writes.
func DecodeDelivery(body []byte) (Delivery, error) {
	r, err := read(body, tagDeliveryMember, tagDeliveryGen, tagDeliverySeq, tagDeliveryKey, tagDeliveryCreated)
	if err != nil {
		return Delivery{}, fmt.Errorf("delivery: %w", err)
	}
	r.Need(tagDeliveryMember, tagDeliveryGen, tagDeliverySeq, tagDeliveryKey, tagDeliveryCreated)
	d := Delivery{
		Member:  r.Key(tagDeliveryMember),
		Gen:     r.number(tagDeliveryGen),
		Seq:     r.number(tagDeliverySeq),
		Key:     readSeal(r, tagDeliveryKey),
		Created: readTime(r, tagDeliveryCreated),
	}
	if err := r.done(); err != nil {
		return Delivery{}, fmt.Errorf("delivery: %w", err)
	}
	return d, nil
}

// SignDelivery makes the statement; Member becomes the signer's key.
func SignDelivery(mesh ident.MeshID, signer ident.PrivateKey, d Delivery) ident.Statement {
	d.Member = signer.Public()
	return ident.Sign(ident.KindDelivery, mesh, d.Encode(), signer)
}

// CheckDelivery decodes a delivery key and verifies its signature.
func CheckDelivery(mesh ident.MeshID, stmt ident.Statement) (Delivery, error) {
	d, err := DecodeDelivery(stmt.Body)
	if err != nil {
		return Delivery{}, err
	}
	return d, stmt.Verify(ident.KindDelivery, mesh, d.Member)
}

// Newer tells whether d counts and o does not, both being of one member. Two
// different keys under one (gen, seq) are told apart by the keys' ids.
func (d Delivery) Newer(o Delivery) bool {
	a, b := seal.KeyID(d.Key), seal.KeyID(o.Key)
	return cmp.Or(cmp.Compare(d.Gen, o.Gen), cmp.Compare(d.Seq, o.Seq), bytes.Compare(a[:], b[:])) > 0
}
