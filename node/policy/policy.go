package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
)

// Decision is what becomes of a request.
type Decision string

// The decisions.
const (
	Allow  Decision = "allow"
	Prompt Decision = "prompt" // a person must say yes
	Deny   Decision = "deny"
)

// Mode bounds what rules may allow.
type Mode string

// The modes, from the narrowest on.
const (
	Plan     Mode = "plan"
	ReadOnly Mode = "read-only"
	Write    Mode = "write"
	Yolo     Mode = "yolo"
)

var modes = []Mode{Plan, ReadOnly, Write, Yolo}

// ParseMode reads a mode. It fails with op.Invalid.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains(modes, m) {
		return m, nil
	}
	return "", op.Errorf(op.Invalid, "there is no mode %q", s).WithHint("use plan, read-only, write or yolo")
}

// Rule decides about some requests.
type Rule struct {
	Operation string   `json:"operation" jsonschema:"an operation's id, a pattern as in mesh.*, @changes or @destroys"`
	Mesh      string   `json:"mesh,omitempty" jsonschema:"a mesh's name or id; absent: every mesh"`
	Decision  Decision `json:"decision" jsonschema:"allow, prompt or deny"`
}

// Classes of operations.
const (
	changes  = "@changes"
	destroys = "@destroys"
)

// Check refuses a rule that can never hold, with op.Invalid.
func (r Rule) Check() error {
	if !slices.Contains([]Decision{Allow, Prompt, Deny}, r.Decision) {
		return op.Errorf(op.Invalid, "%q is no decision", r.Decision).WithHint("use allow, prompt or deny")
	}
	if _, err := path.Match(r.Operation, ""); err != nil || r.Operation == "" {
		return op.Errorf(op.Invalid, "%q is no operation and no pattern", r.Operation).
			WithHint("`claudemesh call --list` shows the operations; %s and %s stand for many", changes, destroys)
	}
	if strings.HasPrefix(r.Operation, "@") && r.Operation != changes && r.Operation != destroys {
		return op.Errorf(op.Invalid, "there is no class of operations %q", r.Operation).WithHint("use %s or %s", changes, destroys)
	}
	return nil
}

// Rules are those of one file.
type Rules struct {
	Mode  Mode   `json:"mode,omitempty"`
	Rules []Rule `json:"rules,omitempty"`
}

// ErrFile reports a file of rules that cannot be used.
var ErrFile = errors.New("the policy cannot be used")

// Parse reads a file of rules. A word in it that means nothing is refused: it was
// meant to protect something.
func Parse(raw []byte) (Rules, error) {
	var r Rules
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Rules{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Rules{}, fmt.Errorf("%w: text behind it", ErrFile)
	}
	if r.Mode != "" {
		if _, err := ParseMode(string(r.Mode)); err != nil {
			return Rules{}, fmt.Errorf("%w: %w", ErrFile, err)
		}
	}
	for i, one := range r.Rules {
		if err := one.Check(); err != nil {
			return Rules{}, fmt.Errorf("%w: rule %d: %w", ErrFile, i+1, err)
		}
	}
	return r, nil
}

// standing are the program's own rules, the last ones.
var standing = []Rule{
	{Operation: "mesh.ban", Decision: Prompt},
	{Operation: "mesh.void", Decision: Prompt},
	{Operation: "policy.set", Decision: Prompt},
}

// Policy is all that decides.
type Policy struct {
	System, User Rules
	// Broken is why one of the files cannot be read.
	Broken error
}

// Mode is the mode in force: the user's, never beyond the system's.
func (p Policy) Mode() Mode {
	mode := p.User.Mode
	if mode == "" {
		mode = Write
	}
	if m := p.System.Mode; m != "" && slices.Index(modes, m) < slices.Index(modes, mode) {
		mode = m
	}
	return mode
}

// Question is a request to decide about.
type Question struct {
	Contract op.Contract
	// Looks tells that the request changes nothing.
	Looks bool
	// Mesh and MeshID name the mesh it concerns; both empty: it is not known, or none.
	Mesh, MeshID string
}

// Verdict is a decision and what it follows from.
type Verdict struct {
	Decision Decision `json:"decision"`
	Why      string   `json:"why"`
}

// Decide answers a question. Operations without a name on any surface are not for
// people or agents to ask for, and are allowed.
func (p Policy) Decide(q Question) Verdict {
	if q.Contract.Names == (op.Names{}) {
		return Verdict{Allow, "it is a part of other operations"}
	}
	if !q.Looks && p.Broken != nil {
		return Verdict{Deny, p.Broken.Error()}
	}
	mode := p.Mode()
	if !q.Looks && (mode == Plan || mode == ReadOnly) && !q.wayBack() {
		return Verdict{Deny, "the mode is " + string(mode)}
	}
	v := p.rules(q)
	switch {
	case v.Decision == Prompt && q.Looks:
		return Verdict{Allow, "it only looks"}
	case v.Decision == Prompt && mode == Yolo:
		return Verdict{Allow, "the mode is yolo"}
	}
	return v
}

// wayBack tells whether the policy itself would be changed: that is always for a person
// to say yes to, and no mode or pattern takes it away. Only a rule that names it does.
func (q Question) wayBack() bool { return q.Contract.ID == Set.ID }

// rules finds the first rule that matches.
func (p Policy) rules(q Question) Verdict {
	for _, from := range []struct {
		name  string
		rules []Rule
	}{{"the machine's policy", p.System.Rules}, {"your policy", p.User.Rules}, {"a standing rule", standing}} {
		for _, r := range from.rules {
			if r.covers(q) {
				return Verdict{r.Decision, fmt.Sprintf("%s: %s %s", from.name, r.Operation, r.Decision)}
			}
		}
	}
	return Verdict{Allow, "no rule is about it"}
}

// covers tells whether a rule is about a request. Where the mesh is not known, one that
// protects a mesh holds, and one that opens it does not.
func (r Rule) covers(q Question) bool {
	if q.wayBack() && r.Operation != q.Contract.ID {
		return false
	}
	switch r.Operation {
	case changes:
		if q.Looks {
			return false
		}
	case destroys:
		if q.Looks || !q.Contract.Destroys {
			return false
		}
	default:
		if ok, err := path.Match(r.Operation, q.Contract.ID); err != nil || !ok {
			return false
		}
	}
	switch {
	case r.Mesh == "" || r.Mesh == "*":
		return true
	case q.Mesh == "" && q.MeshID == "":
		return r.Decision != Allow
	}
	return r.Mesh == q.Mesh || r.Mesh == q.MeshID
}
