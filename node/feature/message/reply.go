package message

import (
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// replied is the message that another one answers.
type replied struct {
	entry  *inbox.Entry // nil: one that this member sent itself
	cause  [16]byte
	depth  uint64
	thread letter.ID
	notice bool
}

// findReplied looks among what a session has received, then among what its member
// sent. Nil: not known here.
func findReplied(tx *store.Tx, self Self, id letter.ID) (*replied, error) {
	in := inbox.In(tx)
	entries, err := in.Find(readerOf(self), id)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Size == 0 {
			continue
		}
		m, err := in.Text(e)
		if err != nil {
			return nil, err
		}
		return &replied{
			entry: &e, cause: m.Cause, depth: m.Depth, thread: threadOf(m.Thread, id), notice: isNotice(m),
		}, nil
	}
	m, ok, err := outbox.In(tx).Message(self.Mesh, id)
	if err != nil || !ok || m.Member != self.Member {
		return nil, err
	}
	return &replied{cause: m.Cause, depth: m.Depth, thread: threadOf(m.Thread, id)}, nil
}

func threadOf(thread, id letter.ID) letter.ID {
	if thread.IsZero() {
		return id
	}
	return thread
}

// asker is the session that a reply goes to when the target typed means whoever
// wrote what it answers: the very session, while it exists.
func (f *Feature) asker(d *draft, target string) (Address, bool) {
	if d.closeTo == nil || d.closeTo.entry == nil {
		return Address{}, false
	}
	e := d.closeTo.entry
	name, _ := f.cfg.Trust.Member(e.Mesh, e.Origin)
	t := strings.TrimSpace(target)
	meant := strings.EqualFold(t, e.Name) || name != "" && strings.EqualFold(t, name) ||
		keyPrefix(t, e.Origin) || keyPrefix(t, e.Session)
	if !meant {
		return Address{}, false
	}
	a, err := f.cfg.Sessions.Resolve(e.Mesh, d.self, e.Session.String())
	return a, err == nil && a.Key == e.Session
}

func keyPrefix(s string, k ident.PublicKey) bool {
	return len(s) >= 8 && strings.HasPrefix(k.String(), strings.ToLower(s))
}
