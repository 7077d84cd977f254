package message

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	if n := f.came(mesh, from, receipt); n != nil {
		f.keep(ctx, []*news{n})
	}
}

// came reads a receipt; nil: there is nothing to keep of it.
func (f *Feature) came(mesh ident.MeshID, from ident.PublicKey, receipt []byte) *news {
	n, err := f.readNews(mesh, from, receipt)
	if err != nil {
		f.log.Warn("receipt dropped", "mesh", mesh, "from", from, "error", err)
		f.refuse(mesh, from, "receipt")
		return nil
	}
	if !n.matters() {
		return nil
	}
	f.log.Debug("receipt came", "mesh", mesh, "from", from, "items", len(n.items))
	return n
}

// keep stores receipts in one commit.
func (f *Feature) keep(ctx context.Context, all []*news) {
	var after []func()
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		after = nil
		for _, n := range all {
			then, err := f.applyNews(tx, n)
			if err != nil {
				return err
			}
			after = append(after, then...)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return // the end: what is not kept is asked for again
	}
	if err != nil {
		f.log.Error("receipts could not be stored", "mesh", all[0].home.Mesh, "from", all[0].home.Member, "receipts", len(all), "error", err)
		return
	}
	for _, fn := range after {
		fn()
	}
	for _, n := range all {
		f.log.Debug("receipt kept", "mesh", n.home.Mesh, "from", n.home.Member, "items", len(n.items))
	}
}

const (
	// toldQueue is how many receipts that came by themselves wait to be kept, at most;
	// those who bring more wait.
	toldQueue = 256
	// toldWait is how long the first waits for others: everybody receipts a message to
	// many, one shortly after the other, and nobody waits for the commit.
	toldWait = 20 * time.Millisecond
)

// Told takes a receipt that its signer posted by itself: for what came through the air.
// It is kept a moment later, with others, if the node does not end before: then the
// message is sent as a letter, and receipted again.
func (f *Feature) Told(ctx context.Context, mesh ident.MeshID, from ident.PublicKey, receipt []byte) {
	n := f.came(mesh, from, receipt)
	if n == nil {
		return
	}
	select {
	case f.told <- n:
	case <-ctx.Done():
	}
}

// keepTold commits what Told took, until ctx ends.
func (f *Feature) keepTold(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-f.told:
			f.keep(ctx, f.gather(ctx, n))
		}
	}
}

// gather waits for those that come shortly after a receipt.
func (f *Feature) gather(ctx context.Context, first *news) []*news {
	all := []*news{first}
	late := time.NewTimer(toldWait)
	defer late.Stop()
	for len(all) < toldQueue {
		select {
		case n := <-f.told:
			all = append(all, n)
		case <-late.C:
			return all
		case <-ctx.Done():
			return all
		}
	}
	return all
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
