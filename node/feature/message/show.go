package message

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// stamp is RFC 3339 to the millisecond.
const stamp = "2006-01-02T15:04:05.000Z07:00"

func stamped(t time.Time) string { return t.UTC().Format(stamp) }

// shown is an entry as a session sees it.
func shown(e inbox.Entry, m letter.Message, member ident.PublicKey) op.Message {
	out := op.Message{
		ID: e.ID.String(), FromName: e.Name, FromSession: e.Session.String(), FromMember: e.Origin.String(),
		Priority: e.Priority.String(), Kind: "direct", Subtype: m.Subtype, Body: m.Body,
		SentAt: stamped(m.Created), DeliveredAt: stamped(e.Arrived), Target: strings.Join(m.Targets, ", "),
	}
	switch {
	case isNotice(m):
		out.Kind, out.Body = "system", noticeText(e.Name)
	case m.Reach == letter.Mesh:
		out.Kind = "broadcast"
	}
	for _, id := range m.Files {
		out.Files = append(out.Files, string(id))
	}
	if !m.ReplyTo.IsZero() {
		out.ReplyTo = m.ReplyTo.String()
	}
	if e.Address != member {
		out.ToSession = e.Address.String()
	}
	return out
}

// announce appends something for a session to the feed.
func announce(tx *store.Tx, to Self, topic string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode %s: %w", topic, err)
	}
	event, err := json.Marshal(op.Event{Topic: topic, Mesh: to.Mesh.String(), Slug: to.Slug, Data: raw})
	if err != nil {
		return fmt.Errorf("encode %s: %w", topic, err)
	}
	tx.Append(store.Change{Topic: topic, To: to.ID, Data: event})
	return nil
}
