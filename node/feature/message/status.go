package message

import (
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
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
	all, err := f.asking(c, in.Mesh)
	if err != nil {
		return StatusResponse{}, err
	}
	digits, err := letter.ParsePrefix(in.ID)
	if err != nil || len(in.ID) < prefixLeast {
		return StatusResponse{}, op.Errorf(op.Invalid, "%q is no message id, nor 8 or more characters of one", in.ID).
			WithHint("use the id that sending it returned")
	}
	var answer StatusResponse
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		box := outbox.In(tx)
		self, m, err := findSent(tx, all, in.ID, digits)
		if err != nil {
			return err
		}
		answer, err = describe(box, self, m)
		return err
	})
	return answer, err
}

// sent is a message and the session of its mesh that asks for it.
type sent struct {
	self Self
	m    outbox.Message
}

// findSent finds a message that the asking member sent, in any of the meshes.
func findSent(tx *store.Tx, all []Self, typed, digits string) (Self, outbox.Message, error) {
	box := outbox.In(tx)
	var found []sent
	for _, self := range all {
		for _, id := range box.Find(self.Mesh, digits, candidates) {
			m, ok, err := box.Message(self.Mesh, id)
			if err != nil {
				return Self{}, outbox.Message{}, err
			}
			if ok && m.Member == self.Member {
				found = append(found, sent{self, m})
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0].self, found[0].m, nil
	case 0:
		return Self{}, outbox.Message{}, notSent(tx, all, typed)
	}
	ids := make([]string, len(found))
	for i, s := range found {
		ids[i] = s.m.ID.String()
	}
	return Self{}, outbox.Message{}, op.Errorf(op.Ambiguous, "%s begins several ids: %s", typed, strings.Join(ids, ", "))
}

// notSent says why a message cannot be asked for.
func notSent(tx *store.Tx, all []Self, typed string) error {
	slugs := make([]string, len(all))
	for i, self := range all {
		slugs[i] = self.Slug
		if id, err := letter.ParseID(typed); err == nil {
			got, err := inbox.In(tx).Find(readerOf(self), id)
			if err != nil {
				return err
			}
			if len(got) > 0 {
				return op.Errorf(op.Denied, "message %s was sent to you: only its sender may ask what became of it", typed).
					WithHint("check_messages shows it, unless it was shown before")
			}
		}
	}
	return op.Errorf(op.NotFound, "no message %s was sent from here in %s", typed, strings.Join(slugs, ", ")).
		WithHint("ids are remembered for 40 days, and only their sender may ask")
}

func describe(box outbox.Box, self Self, m outbox.Message) (StatusResponse, error) {
	rows, err := box.Rows(m.Mesh, m.ID)
	if err != nil {
		return StatusResponse{}, err
	}
	out := StatusResponse{
		ID: m.ID.String(), Mesh: self.Slug, CreatedAt: stamped(m.Created), Delivered: true,
		Recipients: []Recipient{},
	}
	slices.SortFunc(rows, func(x, y outbox.Row) int { return x.Index - y.Index })
	for _, r := range rows {
		if r.Nobody {
			continue
		}
		out.Recipients = append(out.Recipients, Recipient{
			Target: r.Target, Name: r.Name, Key: r.Address.String(), State: State(r.State.String()), At: stamped(r.Since),
			Held: !r.State.Final() && r.Reason != "", Reason: r.Reason,
		})
		out.Delivered = out.Delivered && (r.State == delivery.Delivered || r.State == delivery.Seen)
	}
	out.Delivered = out.Delivered && len(out.Recipients) > 0
	return out, nil
}
