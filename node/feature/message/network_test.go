package message

import (
	"context"
	"errors"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Cry tells every other node that hears it.
func (n *node) Cry(_ context.Context, _ ident.MeshID, raw []byte) error {
	if !n.step() {
		return errKilled
	}
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.nodes {
		lost := w.cut || w.rng.Float64() < max(w.loss, w.deaf)
		delay := time.Duration(w.rng.Float64() * float64(w.slow))
		if o == n || lost {
			continue
		}
		w.flying.Go(func() {
			time.Sleep(delay)
			if there := o.life.Load(); there != nil && !o.dead.Load() {
				if _, err := there.Hear(w.mesh, raw); err != nil && !errors.Is(err, ErrLater) {
					w.t.Fatalf("%s refused what %s cried: %v", o.name, n.name, err)
				}
			}
		})
	}
	return nil
}

// Reaches tells that nobody needs to pass on what this node cries: here nobody does.
func (n *node) Reaches(ident.MeshID, []ident.PublicKey) bool { return true }

// Send puts letters on the network, which may lose, double, shuffle and delay them.
func (n *node) Send(_ context.Context, _ ident.MeshID, to ident.PublicKey, letters [][]byte) error {
	w := n.w
	other := w.node(to)
	if !n.step() || !other.up.Load() {
		return ErrUnreachable
	}
	n.sent.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return ErrUnreachable
	}
	copies := 1
	if w.rng.Float64() < w.doubled {
		copies = 2
	}
	for range copies {
		batch := append([][]byte(nil), letters...)
		if w.rng.Float64() < w.shuffle {
			w.rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		}
		delay := time.Duration(w.rng.Float64() * float64(w.slow))
		lost, lostReceipt := w.rng.Float64() < w.loss, w.rng.Float64() < w.loss
		if !lost {
			w.flying.Go(func() { n.fly(other, batch, delay, lostReceipt) })
		}
	}
	return nil
}

// SendReceipt puts a receipt on the network, which may lose and delay it.
func (n *node) SendReceipt(_ context.Context, _ ident.MeshID, to ident.PublicKey, receipt []byte) error {
	w := n.w
	other := w.node(to)
	if !n.step() || !other.up.Load() {
		return ErrUnreachable
	}
	n.sent.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return ErrUnreachable
	}
	if w.rng.Float64() < w.loss {
		return nil
	}
	delay := time.Duration(w.rng.Float64() * float64(w.slow))
	w.flying.Go(func() {
		time.Sleep(delay)
		if there := other.life.Load(); there != nil && !other.dead.Load() {
			there.Told(context.Background(), w.mesh, n.member.Public(), receipt)
			if w.receipted != nil {
				w.receipted(receipt)
			}
		}
	})
	return nil
}

// fly carries a batch there and its receipt back.
func (n *node) fly(other *node, batch [][]byte, delay time.Duration, lostReceipt bool) {
	time.Sleep(delay)
	there := other.life.Load()
	if there == nil || other.dead.Load() {
		return
	}
	receipt, err := there.Deliver(context.Background(), n.w.mesh, n.member.Public(), batch)
	if err != nil || other.dead.Load() || lostReceipt || receipt == nil {
		return
	}
	if here := n.life.Load(); here != nil && !n.dead.Load() {
		here.Receipt(context.Background(), n.w.mesh, other.member.Public(), receipt)
		if n.w.receipted != nil {
			n.w.receipted(receipt)
		}
	}
}

// cryOf makes a message to everybody by hand.
func cryOf(w *world, n *node, member ident.PrivateKey, created time.Time, session ident.PrivateKey) []byte {
	c := letter.Cry{Letter: cryLetter(w, n, created, session)}
	for _, o := range w.nodes {
		if o != n {
			c.Members = append(c.Members, o.member.Public())
		}
	}
	return ident.Sign(letter.KindCry, w.mesh, c.Encode(), member).Marshal()
}

// cryLetter is the letter in it.
func cryLetter(w *world, n *node, created time.Time, session ident.PrivateKey) []byte {
	s := n.sessions[0]
	id, _ := letter.NewID(time.Now())
	m := letter.Message{
		ID: id, Origin: s.Member, Session: s.Session, Reach: letter.Mesh, Targets: []string{"*"}, Priority: delivery.Next,
		Body: "cried", Cause: letter.CauseOf(s.Member, id), Created: time.UnixMilli(created.UnixMilli()), TTL: time.Hour,
	}
	return letter.Letter{
		Statement: ident.Sign(ident.KindMessage, w.mesh, m.Encode(), session).Marshal(), Attest: s.Attest,
		Ord: uint64(time.Now().UnixMilli()) << 16, Addresses: []letter.Address{{Index: letter.Everyone}}, Remaining: time.Hour,
	}.Pack()
}
