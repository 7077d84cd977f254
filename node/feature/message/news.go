package message

import (
	"context"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// news is a receipt that verified: what a recipient's home says.
type news struct {
	home  outbox.Home
	id    ident.ID
	items []letter.Item
	noted []uint64 // what it says was taken of the news posted from here
}

// Receipt takes the answer to letters sent. It returns once it is committed;
// what is malformed, badly signed or about other members' rows changes nothing.
func (f *Feature) Receipt(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, receipt []byte) {
	n, err := f.readNews(mesh, from, receipt)
	if err != nil {
		f.log.Warn("receipt dropped", "mesh", mesh, "from", from, "error", err)
		f.refuse(mesh, from, "receipt")
		return
	}
	if !n.matters() {
		return
	}
	f.log.Debug("receipt came", "mesh", mesh, "from", from, "items", len(n.items))
	var after []func()
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		after, err = f.applyNews(tx, n)
		return err
	})
	if err != nil {
		f.log.Error("receipt could not be stored", "mesh", mesh, "from", from, "error", err)
		return
	}
	for _, fn := range after {
		fn()
	}
	f.log.Debug("receipt kept", "mesh", mesh, "from", from, "items", len(n.items))
}

// matters tells whether a receipt may change something: the answer to a receipt that
// was about the air does not.
func (n *news) matters() bool {
	return len(n.noted) > 0 || slices.ContainsFunc(n.items, func(i letter.Item) bool { return i.Outcome != delivery.ONoted })
}

// readNews reads and verifies a receipt statement of a member.
func (f *Feature) readNews(mesh ident.MeshID, from ident.PublicKey, receipt []byte) (*news, error) {
	s, err := ident.ParseStatement(receipt, letter.MaxReceipt)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	r, err := letter.DecodeReceipt(s.Body)
	if err != nil {
		return nil, err
	}
	if r.Signer != from {
		return nil, fmt.Errorf("receipt of another member")
	}
	if err := s.Verify(ident.KindReceipt, mesh, from); err != nil {
		return nil, err
	}
	n := &news{home: outbox.Home{Mesh: mesh, Member: from}, id: s.ID(), items: r.Items}
	for _, i := range r.Items {
		if i.Outcome == delivery.ONoted {
			n.noted = append(n.noted, f.courier.Noted(n.home, i.Hash)...)
		}
	}
	return n, nil
}

// applyNews changes the rows a receipt is about. It returns what to do after the
// commit.
func (f *Feature) applyNews(tx *store.Tx, n *news) ([]func(), error) {
	out := outbox.In(tx)
	done := append([]uint64(nil), n.noted...)
	for _, ord := range n.noted {
		if err := out.Drop(n.home, ord); err != nil {
			return nil, err
		}
	}
	for _, i := range n.items {
		ord, err := f.applyItem(out, n.home, i)
		if err != nil {
			return nil, err
		}
		if ord != 0 {
			done = append(done, ord)
		}
	}
	if len(done) == 0 {
		return nil, nil
	}
	return []func(){func() { f.courier.Done(n.home, done...) }}, nil
}

// applyItem changes the rows of one message. It returns its ord if it needs no
// sending any more, else 0.
func (f *Feature) applyItem(out outbox.Box, home outbox.Home, i letter.Item) (uint64, error) {
	var event delivery.Event
	switch i.Outcome {
	case delivery.ODelivered:
		event = delivery.GotDelivered
	case delivery.ORefused:
		event = delivery.GotRefused
	case delivery.OSeen:
		event = delivery.GotSeen
	case delivery.OLater: // the row stays
		event = delivery.PutOff
	default:
		return 0, nil
	}
	return out.Apply(outbox.Change{
		Home: home, ID: i.ID, Event: event, Addresses: i.Addresses, Hash: i.Hash, Reason: i.Reason, At: f.cfg.Now(),
	})
}
