package message

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// echoTime is for how long what a session was shown counts as the cause of what it
// writes, if nothing tells when a person speaks to its agent.
const echoTime = 10 * time.Minute

// noticeSubtype marks the notice that a conversation has ended. Its text is written
// by the node that shows it.
const noticeSubtype = "notice"

// noticeTTL is how long a notice is sent for.
const noticeTTL = time.Hour

var (
	errTooLong = errors.New("with no person in between")
	errTold    = errors.New("the session was told already")
)

// follow finds what a draft answers and takes over its thread and cause. What names
// no message it answers has the cause of what its session was shown last. A message
// from a person begins a new cause: there is a person in between.
func (f *Feature) follow(d *draft, person bool) error {
	d.msg.Cause = letter.CauseOf(d.msg.Origin, d.msg.ID)
	var last cause.Shown
	var shown bool
	err := f.cfg.DB.View(func(tx *store.Tx) (err error) {
		if !d.msg.ReplyTo.IsZero() {
			if d.closeTo, err = findReplied(tx, d.self, d.msg.ReplyTo); err != nil {
				return err
			}
		}
		last, shown = cause.In(tx).Last(d.self.Session)
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case d.closeTo != nil && d.closeTo.notice:
		return op.Errorf(op.Denied, "%s is a notice of the mesh: nobody reads an answer to it", d.msg.ReplyTo).
			WithHint("write to a peer without reply_to instead")
	case d.closeTo != nil:
		d.msg.Thread = d.closeTo.thread
	case !d.msg.ReplyTo.IsZero():
		d.msg.Thread = d.msg.ReplyTo
	}
	if person {
		return nil
	}
	if shown {
		d.last = &last
	}
	switch {
	case d.closeTo != nil:
		d.msg.Cause, d.msg.Depth = d.closeTo.cause, d.closeTo.depth+1
	case shown && f.echoes(d.self, last):
		d.msg.Cause, d.msg.Depth = last.Cause, last.Depth+1
	}
	return nil
}

// echoes tells whether what a session writes now goes back to what it was shown: no
// person has spoken to its agent since.
func (f *Feature) echoes(s Self, last cause.Shown) bool {
	if s.Prompted.IsZero() {
		return f.age.now()-last.Age <= echoTime
	}
	return !s.Prompted.After(last.At)
}

// mayContinue refuses a message past the limits of its cause.
func (f *Feature) mayContinue(c cause.Box, d *draft) error {
	if d.notice {
		first, err := c.Tell(d.msg.Cause, d.msg.To[0], f.age.now())
		if err == nil && !first {
			err = errTold
		}
		return err
	}
	if d.msg.Depth == 0 {
		return nil
	}
	if d.msg.Depth > f.limits.CauseDepth {
		return tooLong("this would be answer %d in a row %w, the limit is %d", d.msg.Depth, errTooLong, f.limits.CauseDepth)
	}
	if n := c.Count(d.msg.Cause) + 2; n > f.limits.CauseMessages {
		return tooLong("this would be message %d of one conversation %w, the limit is %d", n, errTooLong, f.limits.CauseMessages)
	}
	return nil
}

func tooLong(format string, args ...any) error {
	return op.Errorf(op.Denied, format, args...).
		WithHint("stop here and tell the person you work for; what they ask for next begins a new conversation: send it without reply_to")
}

// tellLast tells whoever wrote last that a draft was refused: they would wait for an
// answer. Each session is told once of each cause.
func (f *Feature) tellLast(ctx context.Context, d *draft) {
	to, ok := d.writer()
	if !ok || to.Session == d.self.Session {
		return
	}
	id, err := letter.NewID(f.cfg.Now())
	if err != nil {
		f.log.Error("notice not made", "error", err)
		return
	}
	n := &draft{self: d.self, notice: true, request: d.request, msg: letter.Message{
		ID: id, Origin: d.self.Member, Session: d.self.Session, Reach: letter.Direct, To: []ident.PublicKey{to.Session},
		Priority: delivery.Next, Subtype: noticeSubtype, Body: noticeText(d.self.Name),
		ReplyTo: to.ID, Cause: d.msg.Cause, Created: time.UnixMilli(f.cfg.Now().UnixMilli()), TTL: noticeTTL,
	}}
	name, _ := f.cfg.Trust.Member(d.self.Mesh, to.Origin)
	row := outbox.Row{Address: to.Session, Home: to.Origin, State: delivery.Queued, Since: n.msg.Created, Name: name, Target: name}
	if to.Origin == d.self.Member {
		row.State = delivery.Delivered
	}
	n.rows = []outbox.Row{row}
	if _, err := f.accept(ctx, n); err != nil && !errors.Is(err, errTold) {
		f.log.Warn("notice not sent", "mesh", d.self.Mesh, "error", err)
	}
}

// writer is who wrote what a draft would have gone on from.
func (d *draft) writer() (cause.Shown, bool) {
	if r := d.closeTo; r != nil && r.entry != nil {
		return cause.Shown{ID: r.entry.ID, Origin: r.entry.Origin, Session: r.entry.Session}, true
	}
	if d.last != nil && d.last.Cause == d.msg.Cause {
		return *d.last, true
	}
	return cause.Shown{}, false
}

// isNotice tells whether a message is a notice that a conversation has ended.
func isNotice(m letter.Message) bool {
	return m.Subtype == noticeSubtype && m.Reach == letter.Direct && m.Depth == 0
}

// noticeText is what a notice says. The node that shows it writes it: what is shown
// as the mesh's own word is never a peer's.
func noticeText(name string) string {
	return fmt.Sprintf("%s was not let answer you: your conversation has come to its limit of messages with no person in between. "+
		"Stop here and tell the person you work for; nobody reads an answer to this notice.", name)
}
