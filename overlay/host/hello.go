package host

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/host/p2p"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// exchangeState is one handshake, either side.
type exchangeState struct {
	h         *Host
	c         *conn
	initiator bool
	i, r      wire.Nonce
}

// candidate is a mesh within one handshake.
type candidate struct {
	mesh   Mesh
	id     ident.MeshID
	mine   wire.Tag // our tag of it
	theirs wire.Tag // the peer's
	stream wire.Tag // that of its streams
	own    ident.ID // our proof's id, once sent
}

func (x *exchangeState) peers() (i, r peer.ID) {
	if x.initiator {
		return x.h.ID(), x.c.remoteOf()
	}
	return x.c.remoteOf(), x.h.ID()
}

func (x *exchangeState) tag(key [32]byte, dir byte) wire.Tag {
	i, r := x.peers()
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte{dir})
	m.Write(x.i[:])
	m.Write(x.r[:])
	io.WriteString(m, string(i))
	io.WriteString(m, string(r))
	return wire.Tag(m.Sum(nil))
}

func (x *exchangeState) transcript(own bool) Transcript {
	t := Transcript{Dir: 'r', I: x.i, R: x.r}
	if own == x.initiator {
		t.Dir = 'i'
	}
	t.PeerI, t.PeerR = x.peers()
	return t
}

func (x *exchangeState) candidates(meshes []Mesh) []*candidate {
	out := make([]*candidate, 0, min(len(meshes), wire.MaxTags))
	for _, m := range meshes[:min(len(meshes), wire.MaxTags)] {
		key := m.TagKey()
		c := &candidate{mesh: m, id: m.ID(), stream: x.tag(key, 's')}
		c.mine, c.theirs = x.tag(key, 'r'), x.tag(key, 'i')
		if x.initiator {
			c.mine, c.theirs = c.theirs, c.mine
		}
		out = append(out, c)
	}
	return out
}

// send writes our proof of m.
func (x *exchangeState) send(fc *wire.Conn, m *candidate, sync bool) error {
	proof, id, err := m.mesh.Prove(x.transcript(true))
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	if len(proof) > wire.MaxProof {
		return fmt.Errorf("%w: a proof of %d bytes", wire.ErrTooLarge, len(proof))
	}
	m.own = id
	return fc.WriteFrame(wire.Proof{Tag: m.mine, Proof: proof, Sync: sync}.Marshal())
}

// check verifies the peer's proof of m.
func (x *exchangeState) check(m *candidate, proof []byte) (Peer, error) {
	p, err := m.mesh.Check(x.transcript(false), proof)
	if err != nil {
		return Peer{}, fmt.Errorf("check: %w", err)
	}
	p.Mesh, p.Peer, p.Initiator = m.id, x.c.remoteOf(), x.initiator
	p.OwnProofID = m.own
	return p, nil
}

// readProofs is the initiator's last step: a link for each of mine that the responder proves too. A
// mesh it does not answer, or not truly, stays closed.
func (x *exchangeState) readProofs(fc *wire.Conn, mine []*candidate) (links []*link, err error) {
	for {
		m, proof, err := x.readProof(fc, mine)
		if err != nil || m == nil {
			return links, err
		}
		p, err := x.check(m, proof.Proof)
		if err != nil {
			x.h.log.Debug("proof refused", "mesh", m.id, "peer", x.c.remoteOf(), "err", err)
			continue
		}
		if l := x.h.newLink(x.c, m.mesh, m.stream, p, proof.Sync); l != nil {
			links = append(links, l)
		}
	}
}

// readProof reads one proof and finds the mesh it is for, once each; nil after the last.
func (x *exchangeState) readProof(fc *wire.Conn, of []*candidate) (*candidate, wire.Proof, error) {
	b, err := fc.ReadFrame(wire.MaxHelloFrame)
	if err != nil || len(b) == 0 {
		return nil, wire.Proof{}, err
	}
	proof, err := wire.ParseProof(b)
	if err != nil {
		return nil, wire.Proof{}, err
	}
	for _, m := range of {
		if hmac.Equal(m.theirs[:], proof.Tag[:]) {
			m.theirs = wire.Tag(newNonce()) // taken
			return m, proof, nil
		}
	}
	return nil, wire.Proof{}, errTag
}

// answer serves a handshake somebody began.
func (h *Host) answer(s network.Stream) {
	defer s.Reset()
	if !h.enter() {
		return
	}
	defer h.wg.Done()
	c := h.connOf(s.Conn())
	if c == nil || !h.helloRate.Allow(p2p.AddressKey(s.Conn().RemoteMultiaddr())) || !h.startAnswer(c) {
		return
	}
	select {
	case h.hellos <- struct{}{}:
	default:
		h.busy(c, -1)
		return
	}
	links, err := h.respond(c, s)
	<-h.hellos
	h.busy(c, -1)
	if err != nil {
		h.log.Debug("handshake refused", "peer", c.remoteOf(), "err", err)
	}
	h.follow(c, links)
	if err == nil {
		awaitEnd(s)
	}
}

// startAnswer allows two handshakes at once on one connection: ours and one of the peer's.
func (h *Host) startAnswer(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.busy >= 2 {
		return false
	}
	c.busy++
	h.broadcast()
	return true
}

// respond is steps 1 to 4 as the responder.
func (h *Host) respond(c *conn, s network.Stream) (links []*link, err error) {
	if err := s.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, err
	}
	fc := wire.NewConn(s)
	b, err := fc.ReadFrame(wire.MaxHelloFrame)
	if err != nil {
		return nil, err
	}
	hello, err := wire.ParseHello(b)
	if err != nil {
		return nil, err
	}
	x := exchangeState{h: h, c: c, i: hello.Nonce, r: newNonce()}
	mine := x.candidates(h.cfg.Meshes.List())
	begun := time.Now()
	if err := fc.Send(wire.Offer{Nonce: x.r, Version: wire.Version, Tags: x.offer(mine)}.Marshal()); err != nil {
		return nil, err
	}
	for {
		m, proof, err := x.readProof(fc, mine)
		if err != nil {
			return links, err
		}
		if m == nil {
			break
		}
		if len(links) == 0 {
			h.measured(c, time.Since(begun))
		}
		l, err := x.accept(fc, m, proof)
		if err != nil {
			h.log.Debug("proof refused", "mesh", m.id, "peer", c.remoteOf(), "err", err)
			continue
		}
		links = append(links, l)
	}
	return links, fc.Send(nil)
}

// accept checks one proof of the initiator and writes ours.
func (x *exchangeState) accept(fc *wire.Conn, m *candidate, proof wire.Proof) (*link, error) {
	p, err := x.check(m, proof.Proof)
	if err != nil {
		return nil, err
	}
	sync := p.NeedSync || !p.Member
	if err := x.send(fc, m, sync); err != nil {
		return nil, err
	}
	p.OwnProofID = m.own
	// The link stands before the initiator can have our proof, so its streams find it.
	l := x.h.newLink(x.c, m.mesh, m.stream, p, sync)
	if l == nil {
		return nil, errors.New("connection closed")
	}
	return l, nil
}

// offer mixes our tags with random ones.
func (x *exchangeState) offer(mine []*candidate) []wire.Tag {
	n := max((len(mine)+wire.TagStep-1)/wire.TagStep, 1) * wire.TagStep
	tags := make([]wire.Tag, n)
	for i := range tags {
		if i < len(mine) {
			tags[i] = mine[i].mine
		} else {
			tags[i] = wire.Tag(newNonce())
		}
	}
	mrand.Shuffle(n, func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	return tags
}

// awaitEnd lets the other side end the stream, so that our reset does not overtake our last frame.
func awaitEnd(s network.Stream) {
	if s.CloseWrite() == nil {
		io.CopyN(io.Discard, s, 1)
	}
}

func newNonce() (n wire.Nonce) {
	rand.Read(n[:]) // never fails
	return n
}
