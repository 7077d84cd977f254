package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// renderers turn the topics of the feed into notes.
var renderers = map[string]func(op.Event) (note, error){
	op.TopicMessage: typed(messageNote),
	op.TopicHint:    typed(hintNote),
	op.TopicSystem:  typed(systemNote),
	op.TopicWelcome: typed(welcomeNote),
	op.TopicState:   typed(stateNote),
	op.TopicSelf:    typed(selfNote),
	op.TopicReset:   func(op.Event) (note, error) { return resetNote(), nil },
}

// errTopic means that events of a topic are not shown.
var errTopic = errors.New("not shown")

// noteOf is what the model is shown of an event, by whichever way it gets there: what
// peers wrote in it cannot pass for markup.
func noteOf(e op.Event) (note, error) {
	render, ok := renderers[e.Topic]
	if !ok {
		return note{}, errTopic
	}
	n, err := render(e)
	if err != nil {
		return note{}, err
	}
	n.set("mesh_slug", e.Slug)
	n.set("mesh_id", e.Mesh)
	return n, nil
}

// typed decodes an event's data for render.
func typed[T any](render func(op.Event, T) note) func(op.Event) (note, error) {
	return func(e op.Event) (note, error) {
		var data T
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return note{}, fmt.Errorf("decode the event: %w", err)
		}
		return render(e, data), nil
	}
}

// longestPeer is how much of a peer's name is shown, in characters.
const longestPeer = 128

// marks show a message's priority where it is not the usual one.
var marks = map[string]string{"now": "[URGENT] ", "low": "[low] "}

// origins mark a message that no peer typed just now.
var origins = map[string]string{"reminder": "[REMINDER] ", "webhook": "[WEBHOOK] ", "telegram": "[telegram] "}

// messageNote shows a peer's message.
func messageNote(_ op.Event, m op.Message) note {
	var n note
	from := oneLine(nameOr(m.FromName, m.FromMember), longestPeer)
	kind := m.Kind
	switch kind {
	case "direct":
	case "broadcast":
		from += " (broadcast)"
	case "system": // of the mesh itself, about something that was sent
		from = strings.TrimSpace("[system] " + oneLine(m.FromName, longestPeer))
	default:
		kind = "unknown"
	}
	n.Content = marks[m.Priority] + origins[m.Subtype] + from + ": " + neutral(m.Body)
	fromID := m.FromSession
	if fromID == "" {
		fromID = m.FromMember
	}
	for _, attr := range [][2]string{
		{"from_id", fromID}, {"from_name", m.FromName}, {"priority", m.Priority},
		{"sent_at", m.SentAt}, {"delivered_at", m.DeliveredAt}, {"kind", kind}, {"subtype", m.Subtype},
		{"message_id", m.ID}, {"from_session_pubkey", m.FromSession}, {"from_member_pubkey", m.FromMember},
		{"reply_to_id", m.ReplyTo}, {"target", m.Target},
	} {
		n.set(attr[0], attr[1])
	}
	if len(m.Files) > 0 {
		n.setJSON("files", m.Files)
	}
	if m.AgainOffered {
		n.Content = "[shown again] " + n.Content
		n.set("again", "true")
	}
	return n
}

// nameOr is the name of a sender, or what can be said without one.
func nameOr(name, key string) string {
	switch {
	case name != "":
		return name
	case len(key) >= 8:
		return "peer-" + key[:8]
	default:
		return "unknown"
	}
}

// hintNote says that mail waits.
func hintNote(_ op.Event, h op.Hint) note {
	n := note{Content: fmt.Sprintf("[inbox] %d message(s) wait. Use check_messages to read.", h.Unread)}
	if h.FromName != "" {
		n.Content = fmt.Sprintf("[inbox] New message from %s. Use check_messages to read.", oneLine(h.FromName, longestPeer))
	}
	n.set("kind", "inbox_notification")
	n.set("from_name", h.FromName)
	n.set("unread_count", strconv.Itoa(h.Unread))
	return n
}

// systemNote tells what happened in the mesh.
func systemNote(_ op.Event, s op.System) note {
	n := note{Content: neutral(s.Text)}
	if !strings.HasPrefix(n.Content, "[") {
		n.Content = "[system] " + n.Content
	}
	n.set("kind", "system")
	n.set("event", s.Event)
	if len(s.Data) > 0 {
		n.setJSON("eventData", s.Data)
	}
	return n
}

// longestValue is how much of a shared value is shown, in characters: every change
// costs every session tokens, and get_state gives the whole.
const longestValue = 4096

// stateNote shows a shared key that another session wrote.
func stateNote(_ op.Event, s op.StateChange) note {
	key, by := oneLine(s.Key, longestPeer), oneLine(nameOr(s.UpdatedBy, ""), longestPeer)
	n := note{Content: fmt.Sprintf("[state] %s was deleted (by %s)", key, by)}
	if len(s.Value) > 0 {
		n.Content = fmt.Sprintf("[state] %s = %s (set by %s)", key, valueText(s.Value), by)
	}
	n.set("kind", "state_change")
	n.set("key", s.Key)
	n.set("updated_by", s.UpdatedBy)
	n.set("updated_at", s.At)
	return n
}

// unescaped undoes what encoding/json does to the JSON of others for the sake of web
// pages, so that a value reads as get_state shows it. A backslash that is escaped
// itself begins nothing.
var unescaped = strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&")

// valueText is a shared value as one line of JSON, made neutral and cut.
func valueText(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return "?"
	}
	text := []rune(neutral(unescaped.Replace(b.String())))
	if len(text) > longestValue {
		return string(text[:longestValue]) + "… (get_state gives it whole)"
	}
	return string(text)
}

// selfNote tells a session that it is known by another name, or gets its messages
// in another way.
func selfNote(_ op.Event, s op.Self) note {
	name := oneLine(s.Name, longestPeer)
	n := note{Content: fmt.Sprintf("[system] You are %s now; message mode %s: %s.", name, oneLine(s.Mode, 16), modes[s.Mode])}
	if len(s.Groups) > 0 {
		n.Content += " Groups: " + oneLine(strings.Join(s.Groups, ", "), longestMeta) + "."
	}
	n.set("kind", "self")
	n.set("self_display_name", s.Name)
	n.set("self_role", s.Role)
	n.set("message_mode", s.Mode)
	return n
}

// maxNamed is how many peers a welcome names.
const maxNamed = 20

// welcomeNote tells a session who and where it is.
func welcomeNote(e op.Event, w op.Welcome) note {
	named := make([]string, 0, maxNamed)
	for _, p := range w.Peers[:min(len(w.Peers), maxNamed)] {
		named = append(named, oneLine(p, longestPeer))
	}
	list := "none"
	if len(named) > 0 {
		list = strings.Join(named, ", ")
	}
	if more := len(w.Peers) - len(named); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	n := note{Content: fmt.Sprintf("[system] Connected as %s to mesh %s. %d peer(s) online: %s.",
		oneLine(w.Name, longestPeer), oneLine(e.Slug, longestPeer), len(w.Peers), list)}
	if what, ok := modes[w.Mode]; ok && w.Mode != "push" {
		n.Content += fmt.Sprintf(" Message mode %s: %s.", w.Mode, what)
	}
	if w.Unread > 0 {
		n.Content += fmt.Sprintf(" %d message(s) wait: use check_messages.", w.Unread)
	}
	if w.Unconfirmed > 0 {
		n.Content += fmt.Sprintf(" %d pushed earlier may not have been seen: check_messages with again shows them.", w.Unconfirmed)
	}
	n.Content += " mesh_info tells more; set_summary tells the others what you work on."
	n.set("kind", "welcome")
	n.set("self_display_name", w.Name)
	n.set("self_session_pubkey", w.Session)
	n.set("message_mode", w.Mode)
	n.set("peer_count", strconv.Itoa(len(w.Peers)))
	n.set("unread_count", strconv.Itoa(w.Unread))
	n.setJSON("peer_names", named)
	return n
}

// resetNote says that events were missed.
func resetNote() note {
	n := note{Content: "[system] Some events could not be given again. Use check_messages to read what waits."}
	n.set("kind", "reset")
	return n
}

// apartNote says that the session is not on the mesh, and why.
func apartNote(why error) note {
	text := "the session is still being opened"
	if e := op.AsError(why); e != nil {
		text = e.Message
		if e.Hint != "" {
			text += ". " + e.Hint
		}
	}
	n := note{Content: "[system] Not connected to the mesh: " + oneLine(text, longestMeta) + ". Messages wait and come later."}
	n.set("kind", "system")
	n.set("event", "not_connected")
	return n
}
