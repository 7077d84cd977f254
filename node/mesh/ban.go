package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/mesh/ledger"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Ban removes members and changes the mesh's key in the same entry.
var Ban = op.Spec[BanRequest, BanResponse]{
	ID: "mesh.ban",
	Doc: "Remove members from the mesh, for good until they are unbanned, and change the mesh's key.\n" +
		"Every node that has heard of it refuses them. What they had stays readable to them, and what they wrote stays shared unless it is to be forgotten.",
	Names:    op.Names{CLI: "ban <member…>"},
	Needs:    op.Manage,
	Destroys: true,
}

// Unban lets somebody in again.
var Unban = op.Spec[UnbanRequest, UnbanResponse]{
	ID:    "mesh.unban",
	Doc:   "Let somebody in again who was removed; its node finds out by itself.",
	Names: op.Names{CLI: "unban <member>"},
	Needs: op.Manage,
}

// Bans lists who is banned.
var Bans = op.Spec[BansRequest, BansResponse]{
	ID:    "mesh.bans",
	Doc:   "List who was removed from the mesh, when and by whom.",
	Names: op.Names{CLI: "bans"},
	Needs: op.Manage,
}

// BanRequest names members.
type BanRequest struct {
	op.InMesh
	Members     []string `json:"members" jsonschema:"names or keys of those to remove, at most 256"`
	Forget      bool     `json:"forget,omitempty" jsonschema:"keep nothing of what they wrote: shared state, profile, session cards; else all that this node has of it stays, for a flood too"`
	KeepInvites bool     `json:"keep_invites,omitempty" jsonschema:"leave open invites for several people open; else they end, since the removed may know them and come back with a new key"`
}

// BanResponse says who was removed.
type BanResponse struct {
	Mesh   string   `json:"mesh"`
	Banned []Person `json:"banned"`
	// InvitesEnded is how many open invites for several people ended with it.
	InvitesEnded int `json:"invites_ended"`
	// Remaining is how many members the new key was sealed for.
	Remaining int `json:"remaining"`
	// Told is the number of members' nodes that have heard of it already.
	Told int `json:"told"`
}

// Person is one member by name and key.
type Person struct {
	Name string `json:"name"`
	Key  string `json:"member_key"`
}

// Text says what happened and what it means.
func (r BanResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r BanResponse) Lines() []op.Phrase {
	names := make([]string, 0, len(r.Banned))
	for _, p := range r.Banned {
		names = append(names, p.Name)
	}
	text := op.Phrasef("Removed %s from %s; the mesh has a new key, sealed for the %d who remain. Nodes told: %d.",
		strings.Join(names, ", "), r.Mesh, r.Remaining, r.Told)
	if r.InvitesEnded > 0 {
		text = op.Phrasef("%s Open invites for several people that ended with it: %d.", text, r.InvitesEnded)
	}
	return []op.Phrase{text, op.Word("What they had stays readable to them. `claudemesh unban` takes it back.")}
}

func (a *Meshes) answerBan(ctx context.Context, _ op.Caller, in BanRequest) (BanResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return BanResponse{}, err
	}
	if len(in.Members) == 0 {
		return BanResponse{}, op.Errorf(op.Invalid, "nobody was named").WithHint("name a member; `claudemesh info` lists them")
	}
	var keys []ident.PublicKey
	out := BanResponse{Mesh: m.Slug(), Banned: []Person{}}
	for _, who := range in.Members {
		key, err := m.memberNamed(who)
		if err != nil {
			return BanResponse{}, err
		}
		if err := m.mayBan(key); err != nil {
			return BanResponse{}, err
		}
		if !slices.Contains(keys, key) {
			one, _ := m.admin.State().Member(key)
			keys = append(keys, key)
			out.Banned = append(out.Banned, Person{Name: one.Name, Key: key.String()})
		}
	}
	added, err := m.ban(ctx, keys, in, &out)
	if err != nil {
		return BanResponse{}, err
	}
	out.Remaining = len(m.admin.State().Members)
	out.Told = a.spread(ctx, m, added)
	return out, nil
}

// mayBan says what trust would refuse, in words that name the way out.
func (m *Mesh) mayBan(key ident.PublicKey) error {
	state := m.admin.State()
	switch {
	case state.Role(m.self) < trust.RoleAdmin:
		return op.Errorf(op.Denied, "only the owner and admins remove members").
			WithHint("ask one of them; `claudemesh info` lists them")
	case key == m.self:
		return op.Errorf(op.Invalid, "that is you").WithHint("`claudemesh leave %s` takes you out", m.Slug())
	case state.Role(key) >= trust.RoleAdmin && state.Role(m.self) != trust.RoleOwner:
		return op.Errorf(op.Denied, "only the owner removes an %s", state.Role(key)).WithHint("ask the owner")
	}
	return nil
}

// ban signs and commits the removal with its epoch.
func (m *Mesh) ban(ctx context.Context, keys []ident.PublicKey, in BanRequest, out *BanResponse) ([]trust.Entry, error) {
	key, err := seal.NewKey()
	if err != nil {
		return nil, err
	}
	what := trust.Removal{Lists: map[trust.Principal][]byte{}, Key: key}
	lists := make([][]byte, len(keys))
	if !in.Forget {
		if lists, err = m.keeps(keys); err != nil {
			return nil, err
		}
	}
	for i, k := range keys {
		what.Targets = append(what.Targets, trust.Principal(k))
		if lists[i] != nil {
			what.Lists[trust.Principal(k)] = lists[i]
		}
	}
	return m.sign(ctx, func() (trust.Entry, error) {
		if !in.KeepInvites {
			what.Invites = m.admin.State().OpenMultiUse()
			what.Invites = what.Invites[:min(len(what.Invites), trust.MaxIDs)]
		}
		out.InvitesEnded = len(what.Invites)
		return m.admin.SignRemove(m.member, what, m.ring, m.all.cfg.Now())
	})
}

// keeps are the lists of what goes on to count of members that go.
func (m *Mesh) keeps(members []ident.PublicKey) ([][]byte, error) {
	none := make([][]byte, len(members))
	if m.all.cfg.Keeps == nil {
		return none, nil
	}
	lists, err := m.all.cfg.Keeps(m.id, members)
	if err != nil {
		return nil, fmt.Errorf("list the records that stay: %w", err)
	}
	copy(none, lists)
	return none, nil
}

// UnbanRequest names somebody who was removed.
type UnbanRequest struct {
	op.InMesh
	Member string `json:"member" jsonschema:"name or key of the person, as bans lists it"`
	Role   string `json:"role,omitempty" jsonschema:"member (default), service or admin; only the owner makes admins"`
}

// UnbanResponse says who is in again.
type UnbanResponse struct {
	Mesh   string `json:"mesh"`
	Member string `json:"member"`
	Key    string `json:"member_key"`
	Role   string `json:"role"`
	// Told is the number of members' nodes that have heard of it already.
	Told int `json:"told"`
}

// Text says who is in again.
func (r UnbanResponse) Text() string { return op.TextOf(r.Lines()) }

// Lines implements op.Teller.
func (r UnbanResponse) Lines() []op.Phrase {
	return []op.Phrase{op.Phrasef("%s is in %s again, as %s. Nodes told: %d; its own node finds out when it meets one of them.",
		r.Member, r.Mesh, r.Role, r.Told)}
}

func (a *Meshes) answerUnban(ctx context.Context, _ op.Caller, in UnbanRequest) (UnbanResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return UnbanResponse{}, err
	}
	role := trust.RoleMember
	if in.Role != "" {
		if role, err = trust.ParseRole(in.Role); err != nil {
			return UnbanResponse{}, op.Errorf(op.Invalid, "%w", err).WithHint("use member, service or admin")
		}
	}
	key, err := ledger.FindGone(m.admin, in.Member)
	if err != nil {
		return UnbanResponse{}, err
	}
	if m.admin.State().Gone[trust.Principal(key)].Left {
		return UnbanResponse{}, op.Errorf(op.Conflict, "%s left by itself and has forgotten its key", in.Member).
			WithHint("invite it anew with `claudemesh invite`")
	}
	old, ok := lastAdmit(m.admin, key)
	if !ok {
		return UnbanResponse{}, op.Errorf(op.NotFound, "%s was never admitted", in.Member).WithHint("invite it with `claudemesh invite`")
	}
	out := UnbanResponse{Mesh: m.Slug(), Key: key.String(), Role: role.String()}
	added, err := m.sign(ctx, func() (trust.Entry, error) {
		out.Member = freeName(m.admin.State(), old.Name)
		return m.admin.SignAdmit(m.member, trust.Admit{Claim: old.Claim, Role: role, Name: out.Member, Preset: old.Preset}, a.cfg.Now())
	})
	if err != nil {
		return UnbanResponse{}, err
	}
	out.Told = a.spread(ctx, m, added)
	return out, nil
}

// lastAdmit is the newest admission of somebody.
func lastAdmit(l *trust.Log, key ident.PublicKey) (last *trust.Admit, ok bool) {
	for _, e := range l.Entries() {
		if a, is := e.Body().(*trust.Admit); is && a.Claimed.Keys.Member == key {
			last, ok = a, true
		}
	}
	return last, ok
}

// BansRequest asks about one mesh.
type BansRequest struct{ op.InMesh }

// Looks implements op.Looker.
func (BansRequest) Looks() bool { return true }

// BansResponse lists who was removed, by name.
type BansResponse struct {
	Mesh string        `json:"mesh"`
	Bans []ledger.Gone `json:"bans"`
}

// Text has a line per person.
func (r BansResponse) Text() string {
	if len(r.Bans) == 0 {
		return "Nobody is banned from " + r.Mesh + "."
	}
	lines := make([]string, 0, len(r.Bans))
	for _, b := range r.Bans {
		lines = append(lines, fmt.Sprintf("%s  %s  removed by %s, as of %s", b.Name, b.Key[:16], b.By, b.At))
	}
	return strings.Join(lines, "\n")
}

func (a *Meshes) answerBans(_ context.Context, _ op.Caller, in BansRequest) (BansResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return BansResponse{}, err
	}
	return BansResponse{Mesh: m.Slug(), Bans: ledger.Bans(m.admin)}, nil
}
