package message

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

const (
	checkDefault = 100
	checkMost    = 500
	// checkBytes bounds the answer, which op.MaxRequest limits.
	checkBytes = op.MaxRequest * 3 / 4
	// unconfirmedMost bounds the list of what was pushed and not confirmed.
	unconfirmedMost = 200
)

// pulled is what one Check takes out of the inbox.
type pulled struct {
	answer CheckResponse
	full   bool
	size   int
}

// check performs Check: what it answers is marked as given in a commit before. It
// counts as seen when the surface has reported that it wrote the answer (Read), so
// that a crash in between loses nothing.
func (f *Feature) check(ctx context.Context, c op.Caller, in CheckRequest) (CheckResponse, error) {
	limit := in.Limit
	switch {
	case limit == 0:
		limit = checkDefault
	case limit < 1 || limit > checkMost:
		return CheckResponse{}, op.Errorf(op.Invalid, "limit: %d is not within 1 to %d", in.Limit, checkMost)
	}
	all, err := f.asking(c, in.Mesh)
	if err != nil {
		return CheckResponse{}, err
	}
	var p *pulled
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		p = &pulled{answer: CheckResponse{Messages: []Received{}}}
		for _, self := range all {
			if err := f.pull(tx, p, self, limit, in.Again); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return CheckResponse{}, fmt.Errorf("read the inbox: %w", err)
	}
	return p.answer, nil
}

// pull takes what waits for a session, and with again what was pushed to it and
// never confirmed.
func (f *Feature) pull(tx *store.Tx, p *pulled, self Self, limit int, again bool) error {
	in := inbox.In(tx)
	r, age := readerOf(self), f.age.now()
	pushed, err := in.Unconfirmed(r)
	if err != nil {
		return err
	}
	taken := len(p.answer.Messages)
	if again {
		for _, e := range pushed {
			if err := f.pullOne(tx, p, self, e, limit, true); err != nil {
				return err
			}
		}
		pushed = pushed[len(p.answer.Messages)-taken:]
	}
	waiting, err := in.Waiting(r, age)
	if err != nil {
		return err
	}
	taken = len(p.answer.Messages)
	for _, e := range waiting {
		if err := f.pullOne(tx, p, self, e, limit, false); err != nil {
			return err
		}
	}
	p.answer.More += len(waiting) - (len(p.answer.Messages) - taken)
	for _, e := range pushed[:min(len(pushed), unconfirmedMost-len(p.answer.Unconfirmed))] {
		p.answer.Unconfirmed = append(p.answer.Unconfirmed, e.ID.String())
	}
	return nil
}

// pullOne takes one entry, if the answer has room for it. One that was offered before
// is given again as it is.
func (f *Feature) pullOne(tx *store.Tx, p *pulled, self Self, e inbox.Entry, limit int, again bool) error {
	if p.full || len(p.answer.Messages) >= limit {
		p.full = true
		return nil
	}
	in := inbox.In(tx)
	m, err := in.Text(e)
	if err != nil {
		return err
	}
	got := Received{Message: shown(e, m, self.Member), Mesh: self.Slug, MeshID: self.Mesh.String()}
	got.AgainOffered = again
	raw, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("encode message %s: %w", e.ID, err)
	}
	if p.size+len(raw) > checkBytes && len(p.answer.Messages) > 0 {
		p.full = true
		return nil
	}
	if _, changed, err := in.Happen(e, delivery.Pulled, self.Session, f.age.now()); err != nil || !changed && !again {
		return err
	}
	if err := remember(tx, e, m, self.Session, f.cfg.Now(), f.age.now()); err != nil {
		return err
	}
	f.recent.offered(e.Key, f.age.now())
	p.size += len(raw)
	p.answer.Messages = append(p.answer.Messages, got)
	return nil
}
