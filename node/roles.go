package node

import (
	"cmp"
	"crypto/hpke"
	"errors"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/grant"
	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/presence/address"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// people shows the meshes to the presence feature, with the names that count.
type people struct {
	meshes *mesh.Meshes
	names  names // nil: those of the admin log
}

// List implements presence.Meshes.
func (p people) List() []presence.Mesh {
	var out []presence.Mesh
	for _, m := range p.meshes.All() {
		own, ok := m.State().Member(m.Self())
		if !ok || !m.In() {
			continue // removed: nothing is said there any more
		}
		out = append(out, presence.Mesh{ID: m.ID(), Slug: m.Slug(), Self: m.Self(), Name: p.names.of(m.ID(), m.Self(), own.Name), Role: own.Role.String()})
	}
	return out
}

// Members implements presence.Meshes.
func (p people) Members(id ident.MeshID) []presence.Member {
	m, ok := p.meshes.Get(id)
	if !ok {
		return nil
	}
	var called map[ident.PublicKey]string
	if p.names != nil {
		called = p.names(id)
	}
	var out []presence.Member
	for key, one := range m.State().Members {
		out = append(out, presence.Member{
			Key: key, Name: cmp.Or(called[key], one.Name), Role: one.Role.String(), By: one.By, Since: one.Since,
		})
	}
	slices.SortFunc(out, func(a, b presence.Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Key.Compare(b.Key))
	})
	return out
}

// Attest implements presence.Meshes.
func (p people) Attest(id ident.MeshID, session ident.PublicKey, name, rights string) ([]byte, time.Time, error) {
	m, ok := p.meshes.Get(id)
	if !ok {
		return nil, time.Time{}, presence.ErrUnknownMesh
	}
	r, err := rightsOf(rights)
	if err != nil {
		return nil, time.Time{}, err
	}
	stmt, until := m.Attest(session, name, r)
	return stmt, until, nil
}

// Vouched implements presence.Meshes.
func (p people) Vouched(id ident.MeshID, member ident.PublicKey, attest []byte, at time.Time) (ident.PublicKey, string, error) {
	m, ok := p.meshes.Get(id)
	if !ok {
		return ident.PublicKey{}, "", presence.ErrUnknownMesh
	}
	a, err := m.Vouched(member, attest, at, 0)
	return a.Session, a.Name, err
}

// SignBeacon implements presence.Meshes.
func (p people) SignBeacon(id ident.MeshID, body []byte) ([]byte, error) {
	m, ok := p.meshes.Get(id)
	if !ok {
		return nil, presence.ErrUnknownMesh
	}
	return m.Sign(ident.KindBeacon, body).Marshal(), nil
}

// sessions shows the presence feature to the message feature.
type sessions struct {
	presence *presence.Feature
	meshes   *mesh.Meshes
}

// Caller implements message.Sessions.
func (s sessions) Caller(c op.Caller, slug string) (message.Self, error) {
	l, err := s.presence.Caller(c, slug)
	return self(l), err
}

// Callers implements message.Sessions.
func (s sessions) Callers(c op.Caller) ([]message.Self, error) {
	var out []message.Self
	for _, m := range s.meshes.All() {
		if l, err := s.presence.Caller(c, m.ID().String()); err == nil {
			out = append(out, self(l))
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	l, err := s.presence.Caller(c, "") // says why there is none
	return []message.Self{self(l)}, err
}

// Local implements message.Sessions.
func (s sessions) Local(id ident.MeshID) []message.Self {
	var out []message.Self
	for _, l := range s.presence.Locals(id) {
		out = append(out, self(l))
	}
	return out
}

// Audience implements message.Crowd.
func (s sessions) Audience(id ident.MeshID, target string) ([]ident.PublicKey, error) {
	return s.presence.Audience(id, target)
}

// Matching implements message.Crowd.
func (s sessions) Matching(id ident.MeshID, target string) (open []ident.PublicKey, member bool) {
	locals, member := s.presence.Matching(id, target)
	for _, l := range locals {
		open = append(open, l.Session)
	}
	return open, member
}

// Resolve implements message.Sessions.
func (s sessions) Resolve(id ident.MeshID, from message.Self, target string) (message.Address, error) {
	a, err := s.presence.Resolve(id, from.Session, target)
	return message.Address{Key: a.Key, IsSession: a.IsSession, Member: a.Member, Name: a.Name, Online: a.Online}, err
}

func self(l presence.Local) message.Self {
	return message.Self{
		Mesh: l.Mesh, Slug: l.Slug, Member: l.Member, Session: l.Session, Key: l.Key, Attest: l.Attest,
		Name: l.Name, ID: l.ID, Attached: l.Attached, Status: l.Status, Mode: l.Mode, LastActive: l.LastActive,
		Prompted: l.Prompted, Silent: lacks(l, trust.RightSend), Narrow: lacks(l, trust.RightBroadcast),
	}
}

// judge shows the meshes to the message feature.
type judge struct {
	meshes *mesh.Meshes
	names  names // nil: those of the admin log
	// may tells what the own member lets a principal do; nil: everything.
	may func(ident.MeshID, ident.PublicKey, grant.Cap) bool
}

// Member implements message.Trust.
func (j judge) Member(id ident.MeshID, key ident.PublicKey) (string, bool) {
	m, ok := j.meshes.Get(id)
	if !ok {
		return "", false
	}
	one, ok := m.State().Member(key)
	if !ok {
		return "", false
	}
	return j.names.of(id, key, one.Name), true
}

// Judge implements message.Trust. Somebody of whom the admin log knows nothing may
// have been admitted meanwhile; somebody who is gone never counts again. Whoever is
// blocked is judged like everybody else first, so that it sees no difference.
func (j judge) Judge(id ident.MeshID, c message.Claim) (string, error) {
	m, ok := j.meshes.Get(id)
	if !ok {
		return "", message.ErrLater
	}
	state := m.State()
	sender, in := state.Member(c.Member)
	if !in {
		if _, gone := state.Gone[trust.Principal(c.Member)]; gone {
			return "", mesh.ErrNotMember
		}
		return "", message.ErrLater
	}
	a, err := m.Vouched(c.Member, c.Attest, c.Created, need(c.Direct, c.Many))
	if err != nil {
		return "", err
	}
	if a.Session != c.Session {
		return "", errOtherSession
	}
	name := address.Qualified(a.Name, j.names.of(id, c.Member, sender.Name))
	if j.may != nil && !j.may(id, ident.PublicKey(a.Principal()), lets(c.Direct, c.Many)) {
		return name, message.ErrBlocked
	}
	return name, nil
}

// errOtherSession refuses an attestation that came with another session's message.
var errOtherSession = errors.New("the attestation is for another session")

// Sign implements message.Trust.
func (j judge) Sign(id ident.MeshID, kind ident.Kind, body []byte) (ident.Statement, error) {
	m, ok := j.meshes.Get(id)
	if !ok {
		return ident.Statement{}, mesh.ErrNotHere
	}
	return m.Sign(kind, body), nil
}

// Self implements message.Trust.
func (j judge) Self(id ident.MeshID) ident.PublicKey {
	m, ok := j.meshes.Get(id)
	if !ok {
		return ident.PublicKey{}
	}
	return m.Self()
}

// keys shows the meshes to overlay/post.
type keys struct{ judge }

// Self implements post.Keys.
func (k keys) Self(id ident.MeshID) (ident.PublicKey, error) {
	m, ok := k.meshes.Get(id)
	if !ok {
		return ident.PublicKey{}, mesh.ErrNotHere
	}
	return m.Self(), nil
}

// Private implements post.Keys.
func (k keys) Private(id ident.MeshID, keyID [32]byte) (hpke.PrivateKey, bool) {
	m, ok := k.meshes.Get(id)
	if !ok {
		return nil, false
	}
	return m.Private(keyID)
}

// Delivery implements post.Keys.
func (k keys) Delivery(id ident.MeshID) []byte {
	m, ok := k.meshes.Get(id)
	if !ok {
		return nil
	}
	return m.Delivery()
}

// Public implements post.Keys.
func (k keys) Public(id ident.MeshID, member ident.PublicKey) (delivery, seal []byte, err error) {
	m, ok := k.meshes.Get(id)
	if !ok {
		return nil, nil, mesh.ErrNotHere
	}
	return m.Public(member)
}

// Learn implements post.Keys.
func (k keys) Learn(id ident.MeshID, member ident.PublicKey, statement []byte) error {
	m, ok := k.meshes.Get(id)
	if !ok {
		return mesh.ErrNotHere
	}
	return m.Learn(member, statement)
}
