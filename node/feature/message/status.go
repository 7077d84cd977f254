package message

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

const (
	prefixLeast = 8  // characters
	candidates  = 10 // listed at most
)

// status performs Status, for the sending session and others of its member.
func (f *Feature) status(_ context.Context, c op.Caller, in StatusRequest) (StatusResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return StatusResponse{}, err
	}
	digits, err := letter.ParsePrefix(in.ID)
	if err != nil || len(in.ID) < prefixLeast {
		return StatusResponse{}, op.Errorf(op.Invalid, "%q is no message id, nor 8 or more characters of one", in.ID).
			WithHint("use the id that send_message returned")
	}
	var answer StatusResponse
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		box := outbox.In(tx)
		m, err := findSent(box, self, in.ID, digits)
		if err != nil {
			return err
		}
		answer, err = describe(box, self, m)
		return err
	})
	return answer, err
}

// findSent finds a message that the session's member sent.
func findSent(box outbox.Box, self Self, typed, digits string) (outbox.Message, error) {
	var found []outbox.Message
	for _, id := range box.Find(self.Mesh, digits, candidates) {
		m, ok, err := box.Message(self.Mesh, id)
		if err != nil {
			return outbox.Message{}, err
		}
		if ok && m.Member == self.Member {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return outbox.Message{}, op.Errorf(op.NotFound, "no message %s was sent from here in %s", typed, self.Slug).
			WithHint("ids are remembered for 40 days, and only their sender may ask")
	}
	ids := make([]string, len(found))
	for i, m := range found {
		ids[i] = m.ID.String()
	}
	return outbox.Message{}, op.Errorf(op.Ambiguous, "%s begins several ids: %s", typed, strings.Join(ids, ", "))
}

func describe(box outbox.Box, self Self, m outbox.Message) (StatusResponse, error) {
	rows, err := box.Rows(m.Mesh, m.ID)
	if err != nil {
		return StatusResponse{}, err
	}
	out := StatusResponse{
		ID: m.ID.String(), Mesh: self.Slug, CreatedAt: stamped(m.Created), Delivered: true,
		Recipients: make([]Recipient, len(rows)),
	}
	for _, r := range rows {
		out.Recipients[r.Index] = Recipient{
			Target: r.Target, Name: r.Name, Key: r.Address.String(),
			State: State(r.State.String()), At: stamped(r.Since), Reason: r.Reason,
		}
		out.Delivered = out.Delivered && (r.State == delivery.Delivered || r.State == delivery.Seen)
	}
	return out, nil
}
