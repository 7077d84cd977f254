package presence

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// SetVisible hides a session or shows it again.
var SetVisible = op.Spec[SetVisibleRequest, SetVisibleResponse]{
	ID: "visible.set",
	Doc: "Hide from the other members, or show yourself again. While hidden you look like one that has left and get no messages to groups or everybody; " +
		"direct messages still arrive.",
	Names: op.Names{Tool: "set_visible", CLI: "visible <on|off>"},
	Needs: op.Profile,
	Core:  true,
}

// SetVisibleRequest says which.
type SetVisibleRequest struct {
	op.InMesh
	OfSession
	Visible bool `json:"visible" jsonschema:"false hides you"`
}

// SetVisibleResponse echoes it.
type SetVisibleResponse struct {
	Visible bool     `json:"visible"`
	Meshes  []string `json:"meshes"`
}

// Text confirms.
func (r SetVisibleResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r SetVisibleResponse) Lines() []op.Phrase {
	where := strings.Join(r.Meshes, ", ")
	if r.Visible {
		return []op.Phrase{op.Phrasef("Visible to everybody in %s.", where)}
	}
	return []op.Phrase{op.Phrasef("Hidden in %s. Direct messages still arrive.", where)}
}

func (f *Feature) answerSetVisible(ctx context.Context, c op.Caller, in SetVisibleRequest) (SetVisibleResponse, error) {
	meshes, err := f.change(ctx, c, in.OfSession, in.Mesh, func(_ *live, p place) (place, error) {
		if p.Hidden == in.Visible {
			p.Hidden, p.Hid = !in.Visible, f.cfg.Now()
		}
		return p, nil
	})
	return SetVisibleResponse{Visible: in.Visible, Meshes: meshes}, err
}
