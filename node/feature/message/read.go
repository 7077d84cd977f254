package message

import (
	"cmp"
	"context"
	"fmt"

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
	if len(in.Messages) > checkMost {
		return ReadResponse{}, op.Errorf(op.TooLarge, "%d messages, at most %d are confirmed at once", len(in.Messages), checkMost)
	}
	wanted, err := f.parseShown(c, in)
	if err != nil {
		return ReadResponse{}, err
	}
	var out ReadResponse
	var homes []outbox.Home
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		out, homes = ReadResponse{}, nil
		for _, w := range wanted {
			if err := f.readOne(tx, w, &out, &homes); err != nil {
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

// wanted is one message that was shown, and the session it was shown to.
type wanted struct {
	self   Self
	id     letter.ID
	origin ident.PublicKey
}

func (f *Feature) parseShown(c op.Caller, in ReadRequest) ([]wanted, error) {
	out := make([]wanted, 0, len(in.Messages))
	sessions := make(map[string]Self)
	for _, s := range in.Messages {
		id, err := letter.ParseID(s.ID)
		if err != nil {
			return nil, op.Errorf(op.Invalid, "%q is no message id: %w", s.ID, err)
		}
		origin, err := ident.ParsePublicKeyHex(s.FromMember)
		if err != nil {
			return nil, op.Errorf(op.Invalid, "%q is no member key: %w", s.FromMember, err)
		}
		mesh := cmp.Or(s.Mesh, in.Mesh)
		self, ok := sessions[mesh]
		if !ok {
			if self, err = f.cfg.Sessions.Caller(c, mesh); err != nil {
				return nil, err
			}
			sessions[mesh] = self
		}
		out = append(out, wanted{self, id, origin})
	}
	return out, nil
}

// readOne marks the entries of one message that this session was given.
func (f *Feature) readOne(tx *store.Tx, w wanted, out *ReadResponse, homes *[]outbox.Home) error {
	in := inbox.In(tx)
	found, err := in.Find(readerOf(w.self), w.id)
	if err != nil {
		return err
	}
	for _, e := range found {
		if e.Origin != w.origin || e.Taker != w.self.Session {
			continue
		}
		if err := f.proved(tx, e, w.self, &out.Seen, homes); err != nil {
			return err
		}
	}
	return nil
}
