package overview

import (
	"encoding/json"
	"fmt"
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
func (r InfoResponse) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mesh %s (%s)\nYou: %s (%s), member key %s\n", r.Slug, r.ID, r.Name, r.Role, r.Member)
	fmt.Fprintf(&b, "Your groups: %s\n", orNone(groupNames(r.Groups)))
	fmt.Fprintf(&b, "Sessions online: %d\n", r.Peers)
	fmt.Fprintf(&b, "Groups: %s\n", more(r.AllGroups, r.MoreGroups))
	fmt.Fprintf(&b, "State keys: %d", r.StateCount)
	if r.StateCount > 0 {
		b.WriteString(": " + more(r.StateKeys, r.StateCount-len(r.StateKeys)))
	}
	fmt.Fprintf(&b, "\nMembers: %d, %d online\n", len(r.Members), r.Online)
	for _, m := range r.Members {
		fmt.Fprintf(&b, "  %s (%s) %s\n", m.Name, m.Role, m.Key)
	}
	return strings.TrimRight(b.String(), "\n")
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

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// more joins names and says how many are left out.
func more(list []string, rest int) string {
	if rest <= 0 {
		return orNone(list)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), rest)
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
func (r PingResponse) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mesh %s (%s): %s\nYou: %s [%s]\nOthers online: %s, %s\nBuffered: %d\n", r.Slug, r.ID, r.Connection, r.Name, r.Status,
		plural(r.Members, "member"), plural(r.Online, "session"), r.Buffered)
	for _, p := range r.Priorities {
		fmt.Fprintf(&b, "%s:\n", p.Priority)
		if p.Held != "" {
			fmt.Fprintf(&b, "  warning: to you it would wait: %s\n", p.Held)
		}
		if len(p.Trips) == 0 {
			b.WriteString("  no other member's node is online\n")
		}
		for _, t := range p.Trips {
			b.WriteString("  " + t.line() + "\n")
		}
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "Not asked: %d more\n", r.Skipped)
	}
	fmt.Fprintf(&b, "Push handler: %s\nMessage mode: %s\nNotifications: %s",
		either(r.Pipeline.Attached, "attached", "not attached"), r.Pipeline.Mode, either(r.Pipeline.Notifications, "on", "off"))
	return b.String()
}

func (t Trip) line() string {
	head := fmt.Sprintf("%s (%s, %s): ", t.Name, t.Member[:min(len(t.Member), 16)], t.Path)
	if t.Error != "" {
		return head + fmt.Sprintf("no answer: %s (%s)", t.Error, t.Code)
	}
	line := head + strconv.FormatFloat(t.MS, 'f', 1, 64) + " ms"
	if t.Held != "" {
		line += "; warning: there it would wait: " + t.Held
	}
	return line
}

// plural writes a number with its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}
