package message

import (
	"context"
	"fmt"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// read performs Read: what was shown to the caller is seen, and its senders hear of
// it. Confirming twice, or what the caller was never given, changes nothing.
func (f *Feature) read(ctx context.Context, c op.Caller, in ReadRequest) (ReadResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return ReadResponse{}, err
	}
	if len(in.Messages) > checkMost {
		return ReadResponse{}, op.Errorf(op.TooLarge, "%d messages, at most %d are confirmed at once", len(in.Messages), checkMost)
	}
	wanted, err := parseShown(in.Messages)
	if err != nil {
		return ReadResponse{}, err
	}
	var out ReadResponse
	var homes []outbox.Home
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		out, homes = ReadResponse{}, nil
		for _, w := range wanted {
			if err := f.readOne(tx, self, w, &out, &homes); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return ReadResponse{}, fmt.Errorf("confirm messages: %w", err)
	}
	for _, h := range homes {
		f.courier.Wake(h)
	}
	return out, nil
}

// wanted is one message that was shown.
type wanted struct {
	id     letter.ID
	origin ident.PublicKey
}

func parseShown(list []Shown) ([]wanted, error) {
	out := make([]wanted, 0, len(list))
	for _, s := range list {
		id, err := letter.ParseID(s.ID)
		if err != nil {
			return nil, op.Errorf(op.Invalid, "%q is no message id: %w", s.ID, err)
		}
		origin, err := ident.ParsePublicKeyHex(s.FromMember)
		if err != nil {
			return nil, op.Errorf(op.Invalid, "%q is no member key: %w", s.FromMember, err)
		}
		out = append(out, wanted{id, origin})
	}
	return out, nil
}

// readOne marks the entries of one message that this session was given.
func (f *Feature) readOne(tx *store.Tx, self Self, w wanted, out *ReadResponse, homes *[]outbox.Home) error {
	in := inbox.In(tx)
	found, err := in.Find(readerOf(self), w.id)
	if err != nil {
		return err
	}
	for _, e := range found {
		if e.Origin != w.origin || e.Taker != self.Session {
			continue
		}
		e, changed, err := in.Happen(e, delivery.Proved, self.Session, f.age.now())
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		out.Seen++
		queued, err := f.tellSeen(outbox.In(tx), e, self.Member)
		if err != nil {
			return err
		}
		if queued {
			*homes = append(*homes, outbox.Home{Mesh: e.Mesh, Member: e.Origin})
		}
	}
	return nil
}
