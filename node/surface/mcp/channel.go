package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// channelMethod is the notification that Claude Code shows to the model.
const channelMethod = "notifications/claude/channel"

// notification is a channel notification as it is written. That its meta holds
// strings alone is the client's condition for showing it.
type notification struct {
	JSONRPC string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  note   `json:"params"`
}

// note is one message to the model.
type note struct {
	Content string            `json:"content"`
	Meta    map[string]string `json:"meta"`
}

// metaKey is what the client takes as a key of meta.
var metaKey = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// longestMeta is the longest value of meta, in characters.
const longestMeta = 4096

// set adds an attribute, made fit to be one. It leaves out empty values and keys
// that the client would drop or that it sets itself.
func (n *note) set(key, value string) {
	if value == "" || key == "source" || !metaKey.MatchString(key) {
		return
	}
	if n.Meta == nil {
		n.Meta = make(map[string]string)
	}
	n.Meta[key] = oneLine(value, longestMeta)
}

// setJSON adds an attribute whose value is JSON. Quotes stay; the encoder has
// escaped angle brackets.
func (n *note) setJSON(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil || n.Meta == nil {
		return
	}
	n.Meta[key] = string(text)
}

// channel pushes the feed's events into the client's session.
type channel struct {
	cfg         Config
	open        *opening
	out         *writer
	initialized <-chan struct{}
}

// run follows the feed from initialized and the grace time on, until ctx ends. A
// feed that ends is taken up again behind its last event.
func (c *channel) run(ctx context.Context) {
	if !c.await(ctx) {
		return
	}
	cursor := ""
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		if c.open.await(ctx) != nil {
			return
		}
		began := time.Now()
		err := c.cfg.Feed.Follow(ctx, c.cfg.Caller, cursor, func(e op.Event) error {
			if err := c.push(e); err != nil {
				return err
			}
			if e.Cursor != "" {
				cursor = e.Cursor
			}
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn("the feed ended", "error", err)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		if !sleep(ctx, pause) {
			return
		}
		c.open.lost()
	}
}

// await waits for initialized and the grace time.
func (c *channel) await(ctx context.Context) bool {
	select {
	case <-c.initialized:
	case <-ctx.Done():
		return false
	}
	return c.cfg.Grace < 0 || sleep(ctx, c.cfg.Grace)
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// push writes e to the client. The error is that the client takes no more; an
// event that cannot be shown is left out.
func (c *channel) push(e op.Event) error {
	render, ok := renderers[e.Topic]
	if !ok {
		c.cfg.Log.Debug("event not shown", "topic", e.Topic)
		return nil
	}
	n, err := render(e)
	if err != nil {
		c.cfg.Log.Warn("event not shown", "topic", e.Topic, "error", err)
		return nil
	}
	n.set("mesh_slug", e.Slug)
	n.set("mesh_id", e.Mesh)
	return c.out.write(notification{JSONRPC: "2.0", Method: channelMethod, Params: n})
}

// renderers turn the topics of the feed into notes.
var renderers = map[string]func(op.Event) (note, error){
	op.TopicMessage: typed(messageNote),
	op.TopicHint:    typed(hintNote),
	op.TopicSystem:  typed(systemNote),
	op.TopicWelcome: typed(welcomeNote),
	op.TopicReset:   func(op.Event) (note, error) { return resetNote(), nil },
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

// messageNote shows a peer's message.
func messageNote(_ op.Event, m op.Message) note {
	var n note
	kind, to := m.Kind, ""
	switch kind {
	case "direct":
	case "broadcast":
		to = " (broadcast)"
	default:
		kind = "unknown"
	}
	n.Content = marks[m.Priority] + oneLine(nameOr(m.FromName, m.FromMember), longestPeer) + to + ": " + neutral(m.Body)
	fromID := m.FromSession
	if fromID == "" {
		fromID = m.FromMember
	}
	for _, attr := range [][2]string{
		{"from_id", fromID}, {"from_name", m.FromName}, {"priority", m.Priority},
		{"sent_at", m.SentAt}, {"delivered_at", m.DeliveredAt}, {"kind", kind}, {"subtype", m.Subtype},
		{"message_id", m.ID}, {"from_session_pubkey", m.FromSession}, {"from_member_pubkey", m.FromMember},
		{"reply_to_id", m.ReplyTo},
	} {
		n.set(attr[0], attr[1])
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
