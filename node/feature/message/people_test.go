package message

import (
	"errors"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Caller finds the session whose local id the caller names; a person is the first.
func (n *node) Caller(c op.Caller, slug string) (Self, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if o := n.other; o != nil && (slug == o.Slug || slug == o.Mesh.String()) {
		return *o, nil
	}
	for _, s := range n.sessions {
		if c.User || s.ID == c.Session {
			return *s, nil
		}
	}
	return Self{}, op.Errorf(op.NotFound, "no session %q", c.Session)
}

func (n *node) Local(ident.MeshID) []Self {
	n.step()
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Self
	for _, s := range n.sessions {
		if !n.closed[s.Session] {
			out = append(out, *s)
		}
	}
	if fn := n.listed; fn != nil {
		n.listed = nil
		n.mu.Unlock()
		fn()
		n.mu.Lock()
	}
	return out
}

// Resolve knows names of members and sessions, and keys.
func (n *node) Resolve(mesh ident.MeshID, from Self, target string) (Address, error) {
	if !n.step() {
		return Address{}, errKilled
	}
	if mesh != n.w.mesh {
		return Address{}, op.Errorf(op.NotFound, "nobody is called %q", target)
	}
	var found []Address
	for _, o := range n.w.nodes {
		member := o.member.Public()
		if target == "member:"+o.name || target == member.String() {
			found = append(found, Address{Key: member, Member: member, Name: o.name, Online: o.up.Load()})
		}
		o.mu.Lock()
		for _, s := range o.sessions {
			if s.Session != from.Session && (s.Name == target || len(target) >= 8 && strings.HasPrefix(s.Session.String(), target)) {
				found = append(found, Address{Key: s.Session, IsSession: true, Member: member, Name: s.Name, Online: s.Attached})
			}
		}
		o.mu.Unlock()
	}
	switch len(found) {
	case 0:
		return Address{}, op.Errorf(op.NotFound, "nobody is called %q", target)
	case 1:
		return found[0], nil
	}
	return Address{}, op.Errorf(op.Ambiguous, "%q is more than one", target)
}

// in tells whether a target means a session.
func (n *node) in(s *Self, target string) bool {
	if target == "*" || target == "@all" {
		return true
	}
	name := strings.TrimPrefix(target, "@")
	return slices.ContainsFunc(n.groups[s.Session], func(g string) bool { return g == name || strings.HasPrefix(g, name+"/") })
}

// Audience are the members with an open session in a group.
func (n *node) Audience(_ ident.MeshID, target string) (out []ident.PublicKey, _ error) {
	if !n.step() {
		return nil, errKilled
	}
	for _, o := range n.w.nodes {
		o.mu.Lock()
		if target == "*" || target == "@all" || slices.ContainsFunc(o.sessions, func(s *Self) bool { return !o.closed[s.Session] && o.in(s, target) }) {
			out = append(out, o.member.Public())
		}
		o.mu.Unlock()
	}
	if len(out) == 0 {
		return nil, op.Errorf(op.NotFound, "nobody is in %q", target)
	}
	return out, nil
}

func (n *node) Matching(_ ident.MeshID, target string) (open []ident.PublicKey, member bool) {
	n.step()
	n.mu.Lock()
	defer n.mu.Unlock()
	any := false
	for _, s := range n.sessions {
		if n.closed[s.Session] {
			continue
		}
		any = true
		if !n.hidden[s.Session] && n.in(s, target) {
			open = append(open, s.Session)
		}
	}
	return open, !any
}

func (n *node) Member(_ ident.MeshID, key ident.PublicKey) (string, bool) {
	n.step()
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.w.removed[key] {
		return "", false
	}
	if o := n.w.node(key); o != nil {
		return "member:" + o.name, true
	}
	return "", false
}

func (n *node) Judge(_ ident.MeshID, c Claim) (string, error) {
	member, session, attest := c.Member, c.Session, c.Attest
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	name, ok := strings.CutPrefix(string(attest), "attest ")
	switch {
	case n.w.unknown[session]:
		return "", ErrLater
	case n.w.blocked[member]:
		return name, ErrBlocked
	case n.w.revoked[session] || !ok:
		return "", errors.New("the session is not vouched for")
	}
	return name, nil
}

func (n *node) Sign(mesh ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error) {
	if !n.step() {
		return ident.Statement{}, errKilled
	}
	return ident.Sign(kind, mesh, body, n.member), nil
}

func (n *node) Self(ident.MeshID) ident.PublicKey { return n.member.Public() }

func (n *node) Callers(c op.Caller) ([]Self, error) {
	s, err := n.Caller(c, "")
	if n.other != nil {
		return []Self{*n.other, s}, err
	}
	return []Self{s}, err
}
