package message

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node/op"
)

// Send accepts a message for one or several targets.
var Send = op.Spec[SendRequest, SendResponse]{
	ID:    "message.send",
	Doc:   "Send a message to another session or person by name or key, to a @group or to everybody (@all). It returns once the message is safe on disk; it is delivered when they can be reached.",
	Names: op.Names{Tool: "send_message", CLI: "send <to> <message…>"},
	Needs: op.Send,
	Core:  true,
	Eager: true,
}

// Status tells what became of a message.
var Status = op.Spec[StatusRequest, StatusResponse]{
	ID:    "message.status",
	Doc:   "Tell what became of a message you sent: queued, mailed, delivered, seen, expired or refused, for each recipient.",
	Names: op.Names{Tool: "message_status", CLI: "msg-status <id>"},
	Core:  true,
}

// Check takes what waits in the caller's inbox.
var Check = op.Spec[CheckRequest, CheckResponse]{
	ID:    "message.check",
	Doc:   "Read the messages that wait for you, low priority ones included. Messages that were shown or pushed before are not repeated.",
	Names: op.Names{Tool: "check_messages", CLI: "inbox"},
	Core:  true,
	Eager: true,
}

// Read confirms that what Check gave has reached the caller.
var Read = op.Spec[ReadRequest, ReadResponse]{
	ID:  "message.read",
	Doc: "Confirm that messages which message.check gave were shown: they count as seen, and their senders are told. Programs that show messages call it after they have.",
}

// Priority says how urgent a message is.
type Priority string

// The priorities.
const (
	Now  Priority = "now"  // at once, whatever the recipient does
	Next Priority = "next" // when the recipient is idle
	Low  Priority = "low"  // only when the recipient asks
)

// JSONSchema lists the values.
func (Priority) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Enum: []any{"now", "next", "low"}, Default: json.RawMessage(`"next"`),
		Description: "now: at once; next (default): when the recipient is idle; low: only when they ask",
	}
}

// Targets is one target or several.
type Targets []string

// JSONSchema allows a string or a list of strings.
func (Targets) JSONSchema() *jsonschema.Schema {
	one := 1
	return &jsonschema.Schema{
		Description: "a session's or member's name, a public key or a prefix of one (8 or more hex digits), @group (sub-groups included), @all or * for everybody; or a list of these. In several meshes: mesh:target",
		OneOf: []*jsonschema.Schema{
			{Type: "string"},
			{Type: "array", Items: &jsonschema.Schema{Type: "string"}, MinItems: &one},
		},
	}
}

// UnmarshalJSON reads either form.
func (t *Targets) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = Targets{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("to: a string or a list of strings: %w", err)
	}
	*t = many
	return nil
}

// SendRequest is one message.
type SendRequest struct {
	op.InMesh
	To        Targets  `json:"to"`
	Message   string   `json:"message" jsonschema:"the text, at most 65536 bytes"`
	Priority  Priority `json:"priority,omitempty"`
	ReplyTo   string   `json:"reply_to,omitempty" jsonschema:"id of the message you answer"`
	Files     []string `json:"files,omitempty" jsonschema:"ids of shared files that belong to it, at most 16"`
	ID        string   `json:"id,omitempty" jsonschema:"your own id for it (UUID): sending again under the same id sends once"`
	ExpiresIn string   `json:"expires_in,omitempty" jsonschema:"give up after this long, as in 30m, 12h, 7d (default), at most 30d"`
}

// SendResponse has a line per target.
type SendResponse struct {
	ID      string         `json:"id" jsonschema:"the message's id"`
	Targets []TargetResult `json:"targets"`
	// Warning says what is odd about a message that was sent all the same.
	Warning string `json:"warning,omitempty" jsonschema:"what is odd about the message, which was sent all the same"`
}

// TargetResult is the answer for one target as typed.
type TargetResult struct {
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Name   string `json:"name,omitempty" jsonschema:"whom it was resolved to"`
	// Members counts those a group's message is for, as msg-status lists them.
	Members int    `json:"members,omitempty" jsonschema:"of a group: how many members it is for; yours only if another session of yours is meant"`
	Key     string `json:"key,omitempty" jsonschema:"the address: a session's or a member's public key, hex"`
	State   State  `json:"state,omitempty"`
	Online  bool   `json:"recipientOnline,omitempty"`
	// Warning says why it may not be who it seems to be.
	Warning string `json:"warning,omitempty" jsonschema:"why the recipient may not be who it seems to be"`
	Error   string `json:"error,omitempty"`
	// Code is the kind of failure.
	Code op.Code `json:"code,omitempty" jsonschema:"the kind of failure"`
}

// Text has a line per target.
func (r SendResponse) Text() string {
	lines := make([]string, 0, len(r.Targets))
	for _, t := range r.Targets {
		if !t.OK {
			lines = append(lines, fmt.Sprintf("✘ %s: %s (%s)", t.Target, t.Error, t.Code))
			continue
		}
		if t.Members > 0 {
			lines = append(lines, fmt.Sprintf("✔ %s → for %d member(s) (%s), id %s", t.Target, t.Members, t.State, r.ID))
			continue
		}
		where := "is offline: it is kept and delivered when they appear"
		if t.Online {
			where = "is online"
		}
		lines = append(lines, fmt.Sprintf("✔ %s → %s (%s) %s, id %s", t.Target, t.Name, t.State, where, r.ID))
		if t.Warning != "" {
			lines = append(lines, "  WARNING: "+t.Warning)
		}
	}
	if r.Warning != "" {
		lines = append(lines, "WARNING: "+r.Warning)
	}
	return strings.Join(lines, "\n")
}

// State is what became of a message for one recipient.
type State string

// The states of a recipient's row at the sender.
const (
	Queued    State = "queued"    // on this disk, not yet at the recipient
	Mailed    State = "mailed"    // a relay keeps it
	Delivered State = "delivered" // on the recipient's disk
	Seen      State = "seen"      // shown to the recipient
	Expired   State = "expired"   // no receipt came within its time to live
	Refused   State = "refused"   // the recipient's node will never take it
)

// StatusRequest names a message.
type StatusRequest struct {
	op.InMesh
	ID string `json:"id" jsonschema:"the message's id, or an unambiguous prefix of 8 or more characters"`
}

// StatusResponse has a line per recipient.
type StatusResponse struct {
	ID         string      `json:"id"`
	Mesh       string      `json:"mesh"`
	CreatedAt  string      `json:"created_at" jsonschema:"RFC 3339"`
	Delivered  bool        `json:"delivered" jsonschema:"whether there are recipients and every one has it on disk"`
	Recipients []Recipient `json:"recipients"`
}

// Recipient is one recipient's state.
type Recipient struct {
	Target string `json:"target"`
	Name   string `json:"name"`
	Key    string `json:"pubkey"`
	State  State  `json:"status"`
	At     string `json:"at" jsonschema:"since when, RFC 3339"`
	// Held says that the recipient's node did not take it yet; Reason says why.
	Held   bool   `json:"held,omitempty" jsonschema:"whether the recipient's node has put it off; it is sent again"`
	Reason string `json:"reason,omitempty"`
}

// Text has a line per recipient.
func (r StatusResponse) Text() string {
	lines := []string{fmt.Sprintf("Message %s in %s, sent %s", r.ID, r.Mesh, r.CreatedAt)}
	if len(r.Recipients) == 0 {
		lines = append(lines, "  nobody: no session was there that it means")
	}
	for _, p := range r.Recipients {
		line := fmt.Sprintf("  %s (%s): %s since %s", p.Name, p.Key[:16], p.State, p.At)
		if p.Held {
			line += ", held there"
		}
		if p.Reason != "" {
			line += " (" + p.Reason + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// CheckRequest asks for what waits: in the mesh it names, else in all.
type CheckRequest struct {
	op.InMesh
	Again bool `json:"again,omitempty" jsonschema:"also show what was pushed earlier but never confirmed, marked as shown again"`
	Limit int  `json:"limit,omitempty" jsonschema:"at most this many, 1 to 500; default 100"`
}

// CheckResponse lists messages, oldest first.
type CheckResponse struct {
	Messages []Received `json:"messages"`
	// More counts what waits beyond the limit.
	More int `json:"more,omitempty"`
	// Unconfirmed are ids of messages that were pushed and of which nothing shows
	// that they were seen.
	Unconfirmed []string `json:"unconfirmed,omitempty"`
}

// Received is one message read from the inbox.
type Received struct {
	op.Message
	Mesh   string `json:"mesh"`
	MeshID string `json:"mesh_id"`
}

// Report names what is to be confirmed once the response was written.
func (r CheckResponse) Report() (id string, request any) {
	if len(r.Messages) == 0 {
		return "", nil
	}
	return Read.ID, r.Shown()
}

// Shown is the confirmation of all messages in the response.
func (r CheckResponse) Shown() ReadRequest {
	var in ReadRequest
	for _, m := range r.Messages {
		in.Messages = append(in.Messages, Shown{ID: m.ID, FromMember: m.FromMember, Mesh: m.MeshID})
	}
	return in
}

// ReadRequest names messages that were shown.
type ReadRequest struct {
	op.InMesh
	Messages []Shown `json:"messages"`
}

// Shown is one message that was shown.
type Shown struct {
	ID         string `json:"id"`
	FromMember string `json:"from_member" jsonschema:"the sender's member key, hex"`
	Mesh       string `json:"mesh,omitempty" jsonschema:"the mesh it came in, if that is not the request's"`
}

// ReadResponse counts what is newly seen.
type ReadResponse struct {
	Seen int `json:"seen"`
}

// Text has the messages with a rule between them.
func (r CheckResponse) Text() string {
	if len(r.Messages) == 0 && len(r.Unconfirmed) == 0 {
		return "No new messages."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d message(s)\n", len(r.Messages))
	for _, m := range r.Messages {
		b.WriteString("---\n" + m.text() + "\n")
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "---\n%d more wait: ask again.\n", r.More)
	}
	if n := len(r.Unconfirmed); n > 0 {
		fmt.Fprintf(&b, "---\n%d given out, not known to be seen: %s\n", n, strings.Join(r.Unconfirmed, ", "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// text shows one message.
func (m Received) text() string {
	again := ""
	if m.AgainOffered {
		again = " (shown again)"
	}
	reply := ""
	if m.ReplyTo != "" {
		reply = " in reply to " + m.ReplyTo
	}
	to, files := "", ""
	if m.Target != "" {
		to = " to " + m.Target
	}
	if len(m.Files) > 0 {
		files = "\nfiles " + strings.Join(m.Files, ", ")
	}
	return fmt.Sprintf("[%s] from %s (%s)%s priority %s at %s%s%s\nid %s%s\n%s",
		m.Mesh, m.FromName, m.FromMember[:16], to, m.Priority, m.SentAt, reply, again, m.ID, files, m.Body)
}
