package message

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/feature/message/shelf"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// replied is the message that another one answers.
type replied struct {
	entry  *inbox.Entry // nil: one that this member sent itself
	cause  [16]byte
	depth  uint64
	thread letter.ID
}

// follow finds what a draft answers and takes over its thread and cause. A
// message from a person begins a new cause: there is a person in between.
func (f *Feature) follow(d *draft, person bool) error {
	d.msg.Cause = letter.CauseOf(d.msg.Origin, d.msg.ID)
	if d.msg.ReplyTo.IsZero() {
		return nil
	}
	var err error
	viewErr := f.cfg.DB.View(func(tx *store.Tx) error {
		d.closeTo, err = findReplied(tx, d.self, d.msg.ReplyTo)
		return err
	})
	if viewErr != nil {
		return viewErr
	}
	if d.closeTo == nil {
		d.msg.Thread = d.msg.ReplyTo
		return nil
	}
	d.msg.Thread = d.closeTo.thread
	if !person {
		d.msg.Cause, d.msg.Depth = d.closeTo.cause, d.closeTo.depth+1
	}
	return nil
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
		return &replied{entry: &e, cause: m.Cause, depth: m.Depth, thread: threadOf(m.Thread, id)}, nil
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

// causes counts messages per cause on the store.
type causes struct{ table shelf.Shelf }

func causesIn(tx *store.Tx) causes { return causes{shelf.In(tx, shelf.Cause)} }

// count is how many messages of a cause were sent or received here after its
// first one.
func (c causes) count(cause [16]byte) uint64 {
	if v := c.table.Get(cause[:]); len(v) == 16 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// add counts a message that is not the first of its cause.
func (c causes) add(cause [16]byte, depth uint64, age time.Duration) error {
	if depth == 0 {
		return nil
	}
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 16), c.count(cause)+1)
	return c.table.Put(cause[:], binary.BigEndian.AppendUint64(v, uint64(age)))
}

// prune forgets causes that were quiet since the age limit, up to max.
func (c causes) prune(limit time.Duration, max int) error {
	var old [][]byte
	c.table.Ascend(nil, func(k, v []byte) bool {
		if len(v) != 16 || time.Duration(binary.BigEndian.Uint64(v[8:])) <= limit {
			old = append(old, append([]byte{}, k...))
		}
		return len(old) < max
	})
	for _, k := range old {
		if err := c.table.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// mayContinue refuses a message past the limits of its cause.
func (f *Feature) mayContinue(c causes, m letter.Message) error {
	if m.Depth == 0 {
		return nil
	}
	if m.Depth > f.limits.CauseDepth {
		return tooLong("this would be answer %d in a row with no person in between, the limit is %d", m.Depth, f.limits.CauseDepth)
	}
	if n := c.count(m.Cause) + 2; n > f.limits.CauseMessages {
		return tooLong("this would be message %d of one conversation with no person in between, the limit is %d", n, f.limits.CauseMessages)
	}
	return nil
}

func tooLong(format string, args ...any) error {
	return op.Errorf(op.Denied, format, args...).
		WithHint("stop here and tell the person you work for; what they ask for next begins a new conversation")
}
