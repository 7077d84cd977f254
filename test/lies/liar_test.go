package lies_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/post"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/test/renegade"
)

// Kinds of gossip, as package node says them.
const (
	shoutBeacon byte = 1
	shoutHeads  byte = 2
	shoutLetter byte = 3
	shoutRecord byte = 4
)

// liar is eve's modified client, and the node that it lies to.
type liar struct {
	*renegade.Client
	w      *world
	victim peer.AddrInfo
	seq    uint64 // of what must be newer each time
	hush   func() // ends what was begun to tell the last lie
}

// shout gossips a payload.
func (l *liar) shout(kind byte, parts ...[]byte) {
	l.w.t.Helper()
	plain := []byte{kind}
	for _, b := range parts {
		plain = append(plain, b...)
	}
	payload, err := l.Mesh.SealGossip(plain)
	nodetest.Must(l.w.t, err)
	nodetest.Must(l.w.t, l.Gossip.Shout(l.w.t.Context(), payload))
}

// posts sends letters on a stream of its own.
func (l *liar) posts(k renegade.Keys, letters ...[]byte) {
	l.w.t.Helper()
	k.Mesh = l.Mesh.Mesh
	p := post.New(post.Config{
		Streams: post.OverHost(l.Host, func(ident.MeshID, ident.PublicKey) (peer.ID, bool) { return l.victim.ID, true }),
		Keys:    k,
		Deliver: func(context.Context, ident.MeshID, ident.PublicKey, [][]byte) ([]byte, error) { return nil, nil },
		Receipt: func(context.Context, ident.MeshID, ident.PublicKey, []byte) {},
		Told:    func(context.Context, ident.MeshID, ident.PublicKey, []byte) {},
	})
	ctx, cancel := context.WithCancel(l.w.t.Context())
	var runs sync.WaitGroup
	runs.Go(func() { _ = p.Run(ctx) }) // what it has written is read after Send
	runs.Go(func() {
		for ctx.Err() == nil {
			if err := p.Send(ctx, l.Mesh.ID(), l.w.ana.pub, letters...); !errors.Is(err, post.ErrStopped) {
				return // an error is what a lie deserves
			}
		}
	})
	l.hush = func() { cancel(); runs.Wait() }
}

// card is a beacon of eve's own with one thing changed.
func (l *liar) card(change func(*roster.Beacon)) {
	l.w.t.Helper()
	l.seq++
	b := roster.Beacon{Boot: 1 << 40, Seq: l.seq, Clock: time.Now(), Lease: roster.Lease}
	change(&b)
	l.shout(shoutBeacon, l.w.eve.pub[:], l.Mesh.Sign(ident.KindBeacon, b.Encode()).Marshal())
}

func (l *liar) bind(say func(*world) [][]byte) {
	l.card(func(b *roster.Beacon) { b.Node.Bind = say(l.w)[0] })
}

func (l *liar) prove(say func(*world) [][]byte) {
	l.Prove(l.victim, func(t host.Transcript) ([]byte, ident.ID, error) {
		// What is said depends on the connection; several may shake hands at once.
		w := *l.w
		w.on = trust.Transcript{Dir: t.Dir, I: t.I, R: t.R, PeerI: []byte(t.PeerI), PeerR: []byte(t.PeerR)}
		said := say(&w)
		if len(said) == 2 {
			said = append(said, l.Mesh.Delivery())
		}
		var f ident.Fields
		for i, tag := range []uint64{2, 4, 5} {
			f.Bytes(tag, said[i])
		}
		return f.Body(), parsed(said[0]).ID(), nil
	})
}

func (l *liar) deliver(say func(*world) [][]byte) {
	l.posts(renegade.Keys{DeliveryKey: say(l.w)[0]}, []byte("never read"))
}

func (l *liar) open(say func(*world) [][]byte) {
	l.posts(renegade.Keys{Stream: func(body []byte) ident.Statement {
		w := *l.w
		var err error
		w.stream, err = trust.DecodeStream(body)
		nodetest.Must(l.w.t, err)
		return parsed(say(&w)[0])
	}}, []byte("never read"))
}

// said is a letter of a message and of what vouches for its session.
func said(parts [][]byte, index int) letter.Letter {
	return letter.Letter{
		Statement: parts[0], Attest: parts[1], Ord: 1, Addresses: []letter.Address{{Index: index}}, Remaining: time.Hour,
	}
}

// fresh is the world with a message that was never sent.
func (l *liar) fresh() *world {
	w := *l.w
	_, _ = rand.Read(w.message.ID[:]) // never fails
	return &w
}

func (l *liar) write(say func(*world) [][]byte) {
	l.posts(renegade.Keys{}, said(say(l.fresh()), 0).Pack())
}

func (l *liar) vouch(say func(*world) [][]byte) {
	w := l.fresh()
	l.posts(renegade.Keys{}, said([][]byte{w.writes(w.message)[0], say(w)[0]}, 0).Pack())
}

func (l *liar) cry(say func(*world) [][]byte) {
	c := letter.Cry{Letter: said(say(l.fresh()), letter.Everyone).Pack(), Members: []ident.PublicKey{l.w.ana.pub}}
	l.shout(shoutLetter, l.Mesh.Sign(letter.KindCry, c.Encode()).Marshal())
}

func (l *liar) receipt(say func(*world) [][]byte) {
	l.posts(renegade.Keys{}, letter.PackReceipt(say(l.w)[0]))
}

func (l *liar) beacon(say func(*world) [][]byte) { l.shout(shoutBeacon, say(l.w)...) }

func (l *liar) record(say func(*world) [][]byte) {
	for _, raw := range say(l.w) {
		l.shout(shoutRecord, raw)
	}
}

// note writes values under a key of the account, one after the other, as it wants them.
func (l *liar) note(say func(*world) [][]byte) {
	parts := say(l.w)
	l.seq++
	for i, value := range parts[1:] {
		l.shout(shoutRecord, l.sealed("audit", string(parts[0]), value, l.seq, uint64(i+1)).Raw())
	}
}

// sealed is a record of eve's as an honest node makes it, in a log of its own.
func (l *liar) sealed(kind, key string, value []byte, inc, n uint64) replica.Record {
	l.w.t.Helper()
	ring, id := l.Mesh.Ring(), l.Mesh.ID()
	epoch0, err := ring.Epoch0(l.Mesh.Admin())
	nodetest.Must(l.w.t, err)
	epoch, effective, err := ring.Effective(l.Mesh.State().EpochHeads)
	nodetest.Must(l.w.t, err)
	h := replica.Header{
		Log: replica.Log{Author: l.Mesh.Blind().Public(), Inc: 3<<40 + inc}, N: n, Slot: slotOf(trust.IDSecret(epoch0, id), kind, key),
		Clock: replica.ClockAt(time.Now()), Epoch: epoch,
	}
	var f ident.Fields
	f.Text(2, kind)
	f.Text(4, key)
	f.Bytes(6, value)
	cipher, err := seal.BoxSeal(seal.EpochKey(effective, seal.UseRecord, id), replica.AAD(h), f.Body())
	nodetest.Must(l.w.t, err)
	r, err := replica.Make(l.Mesh.Blind(), h, cipher)
	nodetest.Must(l.w.t, err)
	return r
}

// slotOf is where the records of a key are.
func slotOf(secret [32]byte, kind, key string) replica.Slot {
	h := hmac.New(sha256.New, secret[:])
	h.Write([]byte(kind + "\x00" + key))
	return replica.Slot(h.Sum(nil))
}
