package hook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/surface/mcp"
)

// addition adds to what the model is given.
type addition struct {
	Specific struct {
		Event   string `json:"hookEventName"`
		Context string `json:"additionalContext"`
	} `json:"hookSpecificOutput"`
}

// goOn keeps an agent from stopping.
type goOn struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
}

// answer is what the agent is told: messages, as its event takes them.
func answer(p plan, r message.HandResponse) ([]byte, error) {
	text, err := render(r)
	if err != nil {
		return nil, err
	}
	var doc any = goOn{"block", text}
	if !p.stop {
		var a addition
		a.Specific.Event, a.Specific.Context = p.event, text
		doc = a
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(doc)
	return b.Bytes(), err
}

func render(r message.HandResponse) (string, error) {
	parts := []string{mcp.Preface}
	for _, m := range r.Messages {
		text, err := mcp.Element(m.Message, m.MeshID, m.Mesh)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	if r.More > 0 {
		parts = append(parts, fmt.Sprintf("%d more wait: check_messages (`claudemesh inbox`) gives them.", r.More))
	}
	return strings.Join(parts, "\n\n"), nil
}
