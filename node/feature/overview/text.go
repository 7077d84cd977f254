package overview

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/claudemesh/claudemesh/node/op"
)

// Priority is how urgent a message is.
type Priority string

// The priorities.
const (
	Now  Priority = "now"
	Next Priority = "next"
	Low  Priority = "low"
)

// JSONSchema implements op.Schemer.
func (Priority) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Enum: []any{string(Now), string(Next), string(Low)}, Description: "now, next or low"}
}

// UnmarshalJSON refuses other words, also where they come from another node.
func (p *Priority) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	switch Priority(s) {
	case Now, Next, Low:
		*p = Priority(s)
		return nil
	}
	return op.Errorf(op.Invalid, "there is no priority %q", s).WithHint("use now, next or low")
}

// Text lists the same facts.
func (r InfoResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r InfoResponse) Lines() []op.Phrase {
	keys := op.Phrasef("State keys: %d", r.StateCount)
	if r.StateCount > 0 {
		keys = op.Phrasef("State keys: %d: %s", r.StateCount, more(r.StateKeys, r.StateCount-len(r.StateKeys)))
	}
	lines := []op.Phrase{
		op.Phrasef("Mesh %s (%s)", r.Slug, r.ID),
		op.Phrasef("You: %s (%s), member key %s", r.Name, r.Role, r.Member),
		op.Phrasef("Your groups: %s", more(groupNames(r.Groups), 0)),
		op.Phrasef("Sessions online: %d", r.Peers),
		op.Phrasef("Groups: %s", more(r.AllGroups, r.MoreGroups)),
		keys,
		op.Phrasef("Members: %d, %d online", len(r.Members), r.Online),
	}
	for _, m := range r.Members {
		lines = append(lines, op.Phrasef("  %s (%s) %s", m.Name, m.Role, m.Key))
	}
	return lines
}

func groupNames(groups []GroupOfPeer) []string {
	out := make([]string, 0, len(groups))
	for _, g := range groups {
		name := "@" + g.Name
		if g.Role != "" {
			name += " (" + g.Role + ")"
		}
		out = append(out, name)
	}
	return out
}

// more joins names and says how many are left out.
func more(list []string, rest int) op.Phrase {
	switch {
	case rest > 0:
		return op.Phrasef("%s and %d more", strings.Join(list, ", "), rest)
	case len(list) == 0:
		return op.Word("none")
	}
	return op.Phrasef("%s", strings.Join(list, ", "))
}

// Text has a table per mesh.
func (r StatsResponse) Text() string {
	if len(r.Meshes) == 0 {
		return "You are in no mesh. Run `claudemesh new <name>` or `claudemesh join <link>`."
	}
	parts := make([]string, 0, len(r.Meshes))
	for _, m := range r.Meshes {
		if len(m.Peers) == 0 {
			parts = append(parts, m.Slug+": no sessions")
			continue
		}
		rows := [][]string{{"Peer", "Msgs In", "Msgs Out", "Tool Calls", "Uptime (min)", "Errors"}}
		for _, p := range m.Peers {
			name := p.Name
			if p.Own {
				name += " (yours)"
			}
			rows = append(rows, []string{name, count(p.In), count(p.Out), count(p.Calls), count(p.Uptime), count(p.Errors)})
		}
		parts = append(parts, m.Slug+"\n"+table(rows))
	}
	return strings.Join(parts, "\n\n")
}

// count writes a number, or that it is not known.
func count(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// table aligns columns: the first to the left, numbers to the right.
func table(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if i == 0 {
				b.WriteString("  " + cell + pad)
				continue
			}
			b.WriteString("  " + pad + cell)
		}
		lines = append(lines, b.String())
	}
	return strings.Join(lines, "\n")
}

// Text tells what was found, from the connection to the last inch.
func (r PingResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r PingResponse) Lines() []op.Phrase {
	lines := []op.Phrase{
		op.Phrasef("Mesh %s (%s): %s", r.Slug, r.ID, r.connection()),
		op.Phrasef("You: %s [%s]", r.Name, r.Status),
		op.Phrasef("Others online: %s, %s", members(r.Members), sessions(r.Online)),
		op.Phrasef("Buffered: %d", r.Buffered),
	}
	for _, p := range r.Priorities {
		lines = append(lines, op.Phrasef("%s:", string(p.Priority)))
		if p.Held != "" {
			lines = append(lines, op.Phrasef("  warning: to you it would wait: %s", p.Held))
		}
		if len(p.Trips) == 0 {
			lines = append(lines, op.Word("  no other member's node is online"))
		}
		for _, t := range p.Trips {
			lines = append(lines, t.line())
		}
	}
	if r.Skipped > 0 {
		lines = append(lines, op.Phrasef("Not asked: %d more", r.Skipped))
	}
	handler, pushed := op.Word("Push handler: not attached"), op.Word("Notifications: off")
	if r.Pipeline.Attached {
		handler = op.Word("Push handler: attached")
	}
	if r.Pipeline.Notifications {
		pushed = op.Word("Notifications: on")
	}
	return append(lines, handler, op.Phrasef("Message mode: %s", r.Pipeline.Mode), pushed)
}

func (r PingResponse) connection() op.Phrase {
	switch r.Connection {
	case connected:
		return op.Word("connected")
	case alone:
		return op.Word("alone")
	}
	return op.Word("empty")
}

func (t Trip) line() op.Phrase {
	head := op.Phrasef("  %s (%s, %s)", t.Name, t.Member[:min(len(t.Member), 16)], t.Path)
	if t.Error != "" {
		return op.Phrasef("%s: no answer: %s (%s)", head, t.Error, t.Code)
	}
	line := op.Phrasef("%s: %s ms", head, strconv.FormatFloat(t.MS, 'f', 1, 64))
	if t.Held != "" {
		return op.Phrasef("%s; warning: there it would wait: %s", line, t.Held)
	}
	return line
}

func members(n int) op.Phrase {
	if n == 1 {
		return op.Word("1 member")
	}
	return op.Phrasef("%d members", n)
}

func sessions(n int) op.Phrase {
	if n == 1 {
		return op.Word("1 session")
	}
	return op.Phrasef("%d sessions", n)
}
