package op

import (
	"context"
	"encoding/json"
)

// Topics of the change feed.
const (
	// TopicMessage is a message offered to a session; Data is a [Message].
	TopicMessage = "message"
	// TopicHint says that mail waits; Data is a [Hint].
	TopicHint = "hint"
	// TopicWelcome opens a session's feed; Data is a [Welcome].
	TopicWelcome = "welcome"
	// TopicSystem is something that happened in the mesh; Data is a [System].
	TopicSystem = "system"
	// TopicState is a change of the mesh's shared state by another session; Data is
	// a [StateChange].
	TopicState = "state"
	// TopicSelf says that the session's own name, mode or groups were changed from
	// elsewhere, as by a person; Data is a [Self].
	TopicSelf = "self"
	// TopicReset says that changes were missed and cannot be given again: what is
	// unread is found by its own operations.
	TopicReset = "reset"
)

// Event is one change as a surface sees it.
type Event struct {
	// Cursor resumes the feed behind this event. It is opaque. Passing events
	// (welcome, system) carry the cursor of the last durable one.
	Cursor string `json:"cursor"`
	Topic  string `json:"topic"`
	// Mesh and Slug name the mesh, where the event belongs to one.
	Mesh string          `json:"mesh,omitempty"`
	Slug string          `json:"slug,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
	// Mode is the message mode of the session that the event is for, when it is
	// given; empty where there is none. In mode off a surface shows nothing.
	Mode string `json:"mode,omitempty"`
}

// Feed gives the changes meant for one caller, in order.
type Feed interface {
	// Follow calls fn for each event behind cursor (empty: from now on) until ctx
	// ends or fn fails, and returns the reason. While it runs, the caller's session
	// is attached. Implementations that cross a process reconnect by themselves.
	Follow(ctx context.Context, c Caller, cursor string, fn func(Event) error) error
}

// Message is a peer's message as offered to a session.
type Message struct {
	ID           string `json:"id"`
	FromName     string `json:"from_name"`
	FromSession  string `json:"from_session"` // public key, hex
	FromMember   string `json:"from_member"`  // public key, hex
	Priority     string `json:"priority"`     // now, next, low
	Kind         string `json:"kind"`         // direct, broadcast, system
	Subtype      string `json:"subtype,omitempty"`
	Body         string `json:"body"`
	ReplyTo      string `json:"reply_to,omitempty"`
	SentAt       string `json:"sent_at"`      // RFC 3339
	DeliveredAt  string `json:"delivered_at"` // RFC 3339
	ToSession    string `json:"to_session,omitempty"`
	AgainOffered bool   `json:"again,omitempty"`
	// Target is what a broadcast was sent to, as typed: "*", "@reviewers".
	Target string `json:"target,omitempty"`
	// Files are ids of shared files that belong to it.
	Files []string `json:"files,omitempty"`
}

// Self is what a session is told of itself after a change.
type Self struct {
	Name   string   `json:"name"`
	Role   string   `json:"role,omitempty"`
	Mode   string   `json:"mode"`             // push, inbox or off
	Groups []string `json:"groups,omitempty"` // as in "reviewers" or "reviewers:lead"
}

// Hint says that mail waits without giving it.
type Hint struct {
	FromName string `json:"from_name"`
	Unread   int    `json:"unread"`
}

// Welcome tells a session who and where it is.
type Welcome struct {
	Name    string   `json:"name"`
	Session string   `json:"session"` // public key, hex
	Mode    string   `json:"mode"`    // push, inbox or off
	Peers   []string `json:"peers"`   // names of sessions online
	Unread  int      `json:"unread"`
	// Unconfirmed counts messages pushed earlier of which nothing shows that they
	// were seen.
	Unconfirmed int `json:"unconfirmed,omitempty"`
}

// System is something that happened in the mesh.
type System struct {
	Event string `json:"event"` // peer_joined, peer_left, peer_returned, …
	Text  string `json:"text"`  // one sentence
	// Data is what the event carries beyond its sentence, any JSON. It may be absent.
	Data json.RawMessage `json:"data,omitempty"`
}

// StateChange is a shared key that another session wrote.
type StateChange struct {
	Key string `json:"key"`
	// Value is any JSON; absent when the key was deleted.
	Value     json.RawMessage `json:"value,omitempty"`
	UpdatedBy string          `json:"updated_by"` // name
	At        string          `json:"at"`         // RFC 3339
}
