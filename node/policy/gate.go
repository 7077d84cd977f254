package policy

import (
	"context"
	"encoding/json"

	"github.com/claudemesh/claudemesh/node/op"
)

// Gate performs operations for people and agents as far as the policy allows.
type Gate struct {
	// Next performs them.
	Next op.Doer
	// Source has the policy.
	Source *Source
	// Contracts are those of all operations, by id.
	Contracts map[string]op.Contract
	// Mesh finds the mesh that a name means here, an empty one the only mesh; false: no
	// single one.
	Mesh func(name string) (slug, id string, ok bool)
	// Tell hears what was decided where that was no matter of course.
	Tell func(Told)
}

// Told is one decision.
type Told struct {
	Operation string
	MeshID    string
	Agent     bool
	// Decision is what the policy says; Passed, whether the request went on. What came of it
	// then is told by what it changed.
	Decision Decision
	Passed   bool
	Why      string
}

// where is the part of a request that names its mesh.
type where struct {
	Slug string `json:"mesh_slug"`
	Mesh string `json:"mesh"`
}

// Question is what a request asks of the policy.
func (g *Gate) Question(k op.Contract, in json.RawMessage) Question {
	q := Question{Contract: k, Looks: k.Looks(in)}
	var w where
	if json.Unmarshal(in, &w) != nil {
		return q
	}
	name := w.Slug
	if name == "" {
		name = w.Mesh
	}
	if slug, id, ok := g.Mesh(name); ok {
		q.Mesh, q.MeshID = slug, id
	}
	return q
}

// Do implements op.Doer. Another node's requests are judged by rights alone.
func (g *Gate) Do(ctx context.Context, c op.Caller, id string, in json.RawMessage) (json.RawMessage, error) {
	k, known := g.Contracts[id]
	if !known || c.Remote() {
		return g.Next.Do(ctx, c, id, in)
	}
	q := g.Question(k, in)
	p := g.Source.Policy()
	v := p.Decide(q)
	told := Told{Operation: id, MeshID: q.MeshID, Agent: !c.User, Decision: v.Decision, Why: v.Why}
	told.Passed = v.Decision == Allow || v.Decision == Prompt && c.User && c.Approved
	if v.Decision != Allow || k.Destroys && !q.Looks {
		g.Tell(told)
	}
	if !told.Passed {
		return nil, g.refusal(c, k, p, v)
	}
	return g.Next.Do(ctx, c, id, in)
}

// refusal says what can be done about a request that is not performed.
func (g *Gate) refusal(c op.Caller, k op.Contract, p Policy, v Verdict) error {
	if v.Decision == Deny {
		return op.Errorf(op.Denied, "the policy denies %s: %s", k.ID, v.Why).WithHint("%s", g.remedy(k, p))
	}
	if !c.User {
		return op.Errorf(op.Denied, "the policy has a person decide about %s: %s", k.ID, v.Why).
			WithHint("ask the person to run it in a terminal of their own")
	}
	e := op.Errorf(op.Denied, "%s needs a person's yes: %s", k.ID, v.Why).WithHint("answer yes in a terminal, or add --yes")
	e.Ask = true
	return e
}

// remedy says how a person changes what is denied.
func (g *Gate) remedy(k op.Contract, p Policy) op.Phrase {
	switch {
	case p.Broken != nil:
		return op.Phrasef("until that file is corrected, or removed to have no rules, nothing may be changed")
	case k.ID == Set.ID:
		return op.Phrasef("what is denied here is taken back in the files alone: yours is %s", g.Source.user)
	}
	return op.Phrasef("`claudemesh policy show` tells by which rule; a person changes it with `claudemesh policy set`")
}
