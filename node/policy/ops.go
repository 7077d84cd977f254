package policy

import (
	"context"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/op"
)

// Show tells the policy.
var Show = op.Spec[ShowRequest, ShowResponse]{
	ID:    "policy.show",
	Doc:   "Show which operations are allowed here, denied, or asked about, and by which rules.",
	Names: op.Names{CLI: "policy show"},
}

// Set changes the user's part of it.
var Set = op.Spec[SetRequest, ShowResponse]{
	ID:       "policy.set",
	Doc:      "Change what operations may do here: the mode, or the rule about an operation.",
	Names:    op.Names{CLI: "policy set [<operation> <decision>]"},
	Needs:    op.Manage,
	Destroys: true,
}

// Test tells what would be decided.
var Test = op.Spec[TestRequest, TestResponse]{
	ID:    "policy.test",
	Doc:   "Tell whether an operation would be allowed here, denied or asked about. Nothing is done.",
	Names: op.Names{CLI: "policy test <operation>"},
}

// ShowRequest asks for the policy.
type ShowRequest struct{}

// ShowResponse is the policy, the rules in the order they are tried.
type ShowResponse struct {
	Mode   Mode   `json:"mode" jsonschema:"plan, read-only, write or yolo"`
	System []Rule `json:"system" jsonschema:"rules of the machine's administrator"`
	User   []Rule `json:"user" jsonschema:"your rules"`
	Always []Rule `json:"standing" jsonschema:"the program's own"`
	Path   string `json:"path" jsonschema:"the file of your rules"`
	Broken string `json:"broken,omitempty" jsonschema:"why a file cannot be read: then nothing that changes anything is allowed"`
}

// Text has a line per rule.
func (r ShowResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r ShowResponse) Lines() []op.Phrase {
	lines := []op.Phrase{op.Phrasef("mode %s", string(r.Mode))}
	if r.Broken != "" {
		lines = append(lines, op.Phrasef("Nothing that changes anything is allowed: %s", r.Broken))
	}
	for _, from := range []struct {
		name  op.Phrase
		rules []Rule
	}{{op.Word("machine"), r.System}, {op.Word("yours"), r.User}, {op.Word("standing"), r.Always}} {
		for _, one := range from.rules {
			mesh := one.Mesh
			if mesh == "" {
				mesh = "*"
			}
			lines = append(lines, op.Phrasef("%s  %s  in %s  (%s)", one.Decision, one.Operation, mesh, from.name))
		}
	}
	if r.Broken == "" {
		lines = append(lines, op.Word("allow  everything else"))
	}
	return append(lines, op.Phrasef("rules: %s", r.Path))
}

// SetRequest changes the mode, a rule, or both.
type SetRequest struct {
	Mode      string `json:"mode,omitempty" jsonschema:"plan, read-only, write or yolo"`
	Operation string `json:"operation,omitempty" jsonschema:"an operation's id, a pattern as in mesh.*, @changes or @destroys"`
	Mesh      string `json:"in_mesh,omitempty" jsonschema:"only in this mesh, by its name or id"`
	Decision  string `json:"decision,omitempty" jsonschema:"allow, prompt, deny, or none to remove the rule"`
}

// TestRequest names an operation.
type TestRequest struct {
	op.InMesh
	Operation string `json:"operation" jsonschema:"an operation's id"`
}

// TestResponse is what would be decided about a request that changes something.
type TestResponse struct {
	Operation string `json:"operation"`
	Verdict
}

// Text is the decision and its reason.
func (r TestResponse) Text() string {
	return fmt.Sprintf("%s: %s (%s)", r.Operation, r.Decision, r.Why)
}

// Ops binds the operations. It works on a nil Gate, for catalogues.
func (g *Gate) Ops() []op.Op { return []op.Op{Show.Bind(g.show), Set.Bind(g.set), Test.Bind(g.test)} }

func (g *Gate) show(context.Context, op.Caller, ShowRequest) (ShowResponse, error) {
	p := g.Source.Policy()
	out := ShowResponse{
		Mode: p.Mode(), System: append([]Rule{}, p.System.Rules...), User: append([]Rule{}, p.User.Rules...),
		Always: slices.Clone(standing), Path: g.Source.user,
	}
	if p.Broken != nil {
		out.Broken = p.Broken.Error()
	}
	return out, nil
}

func (g *Gate) set(ctx context.Context, c op.Caller, in SetRequest) (ShowResponse, error) {
	if in.Mode == "" && in.Operation == "" {
		return ShowResponse{}, op.Errorf(op.Invalid, "there is nothing to change").WithHint("name a mode, or an operation and a decision")
	}
	mode := Mode(in.Mode)
	if in.Mode != "" {
		if _, err := ParseMode(in.Mode); err != nil {
			return ShowResponse{}, err
		}
	}
	rule := Rule{Operation: in.Operation, Mesh: in.Mesh, Decision: Decision(in.Decision)}
	if in.Operation != "" && in.Decision != "none" {
		if err := rule.Check(); err != nil {
			return ShowResponse{}, err
		}
		if !g.known(rule) {
			return ShowResponse{}, op.Errorf(op.Invalid, "there is no operation %q, so that the rule would do nothing", rule.Operation).
				WithHint("`claudemesh call --list` shows them all")
		}
	}
	err := g.Source.Change(func(r *Rules) {
		if mode != "" {
			r.Mode = mode
		}
		if in.Operation == "" {
			return
		}
		r.Rules = slices.DeleteFunc(r.Rules, func(o Rule) bool { return o.Operation == rule.Operation && o.Mesh == rule.Mesh })
		if in.Decision != "none" {
			// The newest comes first: a rule that somebody adds is meant to hold.
			r.Rules = slices.Insert(r.Rules, 0, rule)
		}
	})
	if err != nil {
		return ShowResponse{}, op.Errorf(op.Unavailable, "%w", err).WithHint("correct the file, or remove it to have no rules")
	}
	return g.show(ctx, c, ShowRequest{})
}

// known tells whether a rule is about any operation that there is.
func (g *Gate) known(r Rule) bool {
	anywhere := Rule{Operation: r.Operation, Decision: r.Decision}
	for _, k := range g.Contracts {
		if anywhere.covers(Question{Contract: k}) {
			return true
		}
	}
	return false
}

func (g *Gate) test(_ context.Context, _ op.Caller, in TestRequest) (TestResponse, error) {
	k, ok := g.Contracts[in.Operation]
	if !ok {
		return TestResponse{}, op.Errorf(op.NotFound, "there is no operation %q", in.Operation).
			WithHint("`claudemesh call --list` shows them all")
	}
	q := Question{Contract: k, Looks: k.Needs.Reads()}
	if slug, id, ok := g.Mesh(in.Mesh); ok {
		q.Mesh, q.MeshID = slug, id
	}
	return TestResponse{in.Operation, g.Source.Policy().Decide(q)}, nil
}
