package session

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/node/op"
)

// preferring asks in the name of a session that was launched into a mesh: where a
// request names none and could mean several, it means that one.
type preferring struct {
	next op.Doer
	mesh string
}

// Do implements op.Doer. Nothing has been done yet when a request is found ambiguous.
func (p preferring) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	out, err := p.next.Do(ctx, c, id, in)
	if op.CodeOf(err) != op.Ambiguous {
		return out, err
	}
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(in, &fields) != nil || fields["mesh_slug"] != nil {
		return out, err
	}
	slug, bad := json.Marshal(p.mesh)
	if bad != nil {
		return out, err
	}
	fields["mesh_slug"] = slug
	narrowed, bad := json.Marshal(fields)
	if bad != nil {
		return out, err
	}
	if better, again := p.next.Do(ctx, c, id, narrowed); again == nil {
		return better, nil
	}
	return out, err
}

// preferred lets requests mean the mesh that the session was launched into.
func (a *app) preferred(next op.Doer) op.Doer {
	if mesh := a.Launched().Mesh; mesh != "" {
		return preferring{next, mesh}
	}
	return next
}

// groupWords are groups as an operation takes them.
func groupWords(groups []agent.LaunchedGroup) []string {
	var out []string
	for _, g := range groups {
		word := g.Name
		if g.Role != "" {
			word += ":" + g.Role
		}
		out = append(out, word)
	}
	return out
}
