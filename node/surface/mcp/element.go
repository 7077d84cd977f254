package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Handed is what sets an element that a hook hands out apart from one that the client
// made of a pushed notification.
const Handed = `<channel source="claudemesh" via="hook"`

// Element writes a message as the client writes one that was pushed, for agents that
// are handed theirs by a hook. What a peer wrote in it cannot pass for markup.
func Element(m op.Message, mesh, slug string) (string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	n, err := renderers[op.TopicMessage](op.Event{Topic: op.TopicMessage, Data: raw})
	if err != nil {
		return "", err
	}
	n.set("mesh_slug", slug)
	n.set("mesh_id", mesh)
	var b strings.Builder
	b.WriteString(Handed)
	for _, key := range slices.Sorted(maps.Keys(n.Meta)) {
		fmt.Fprintf(&b, ` %s="%s"`, key, attribute.Replace(n.Meta[key]))
	}
	fmt.Fprintf(&b, ">\n%s\n</channel>", n.Content)
	return b.String(), nil
}

// attribute makes a value fit to stand in double quotes.
var attribute = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;")
