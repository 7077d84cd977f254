package node

import (
	"context"
	"strings"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Words that stand for several rights, or for none.
var rightWords = map[string]trust.Rights{
	"all":   trust.AllRights,
	"none":  0,
	"state": trust.RightStateRead | trust.RightStateWrite,
	"file":  trust.RightFileRead | trust.RightFileWrite,
}

// rightsOf reads what a session may do: names of rights with commas between; nothing
// means all.
func rightsOf(list string) (trust.Rights, error) {
	if list == "" {
		return trust.AllRights, nil
	}
	var out trust.Rights
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		r, word := rightWords[name]
		if !word {
			var err error
			if r, err = trust.ParseRights(name); err != nil || r == 0 {
				return 0, op.Errorf(op.Invalid, "there is no right %q", name).
					WithHint("use some of %s; or state, file, all, none", strings.ReplaceAll(trust.AllRights.String(), ",", ", "))
			}
		}
		out |= r
	}
	return out, nil
}

// CheckRights refuses a list that is not one of what a session may do: names of rights
// with commas between, or words for several of them; an empty one means all.
func CheckRights(list string) error {
	_, err := rightsOf(list)
	return err
}

// canonical is presence.Config.Rights: one way to write a set of rights.
func canonical(list string) (string, error) {
	r, err := rightsOf(list)
	switch {
	case err != nil:
		return "", err
	case r.Has(trust.AllRights):
		return "", nil
	case r == 0:
		return "none", nil
	}
	return r.String(), nil
}

// right is the right of a session that an operation's need takes. Of several one is
// enough: the operation looks closer.
func right(need op.Right) trust.Rights {
	switch need {
	case op.Send:
		return trust.RightSend | trust.RightBroadcast
	case op.ReadState:
		return trust.RightStateRead
	case op.WriteState:
		return trust.RightStateWrite
	case op.Profile:
		return trust.RightProfile
	case op.Manage:
		return trust.RightManage
	}
	return 0
}

// guard decides who may ask for what. Another node has proved its membership and
// reaches only operations meant for peers. A person may do everything here. An
// agent's session acts within its member's meshes and with the rights it was opened
// with, but who comes and goes in a mesh is a person's decision.
func (n *Node) guard(_ context.Context, c op.Caller, k op.Contract) error {
	switch {
	case c.User, c.Remote():
		return nil
	case c.Session == "":
		return op.Errorf(op.Denied, "the caller is not known")
	case k.Needs == op.Manage:
		return op.Errorf(op.Denied, "an agent's session may not use %s", k.ID).
			WithHint("run the command in a terminal of your own, outside the agent")
	}
	need := right(k.Needs)
	list := n.presence.Rights(c.Session)
	if need == 0 || list == "" {
		return nil
	}
	if have, err := rightsOf(list); err == nil && have&need != 0 {
		return nil
	}
	return op.Errorf(op.Denied, "this session may not use %s: it was opened with the rights %s, without %s", k.ID, list, strings.ReplaceAll(need.String(), ",", " or ")).
		WithHint("the person who opened it can give it more: `claudemesh mcp --rights`")
}

// lacks tells whether a session was opened without a right.
func lacks(l presence.Local, need trust.Rights) bool {
	if l.Rights == "" {
		return false
	}
	have, err := rightsOf(l.Rights)
	return err != nil || !have.Has(need)
}
