package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/store"
)

// Bounds of an invite's time.
const (
	inviteFor     = 7 * 24 * time.Hour
	inviteAtLeast = time.Minute
	inviteAtMost  = 30 * 24 * time.Hour
)

// answerInvite writes an invite into the admin log and keeps its blob. The secret
// is in the answer alone.
func (a *Meshes) answerInvite(ctx context.Context, _ op.Caller, in InviteRequest) (InviteResponse, error) {
	m, err := a.findIn(in.Mesh)
	if err != nil {
		return InviteResponse{}, err
	}
	want, err := a.wanted(in)
	if err != nil {
		return InviteResponse{}, err
	}
	secret, err := invite.NewSecret()
	if err != nil {
		return InviteResponse{}, err
	}
	want.Key = secret.Key().Public()
	if err := m.invite(ctx, secret, want); err != nil {
		return InviteResponse{}, err
	}
	addrs := linkAddrs(a.cfg.Net.Addrs())
	link := invite.Link{Secret: secret, PeerID: a.cfg.Peer.String(), Addrs: addrs}
	return InviteResponse{
		Mesh: m.Slug(), Link: link.String(), Uses: want.Uses, Role: want.Role.String(),
		Expires: want.Expires.UTC().Format(time.RFC3339), Addresses: addrs,
	}, nil
}

// wanted checks a request and fills in its defaults.
func (a *Meshes) wanted(in InviteRequest) (trust.Invite, error) {
	want := trust.Invite{Role: trust.RoleMember, Uses: 1}
	if in.Uses != 0 {
		want.Uses = in.Uses
	}
	if want.Uses < 1 || want.Uses > trust.MaxUses {
		return want, op.Errorf(op.Invalid, "an invite cannot have %d uses", want.Uses).WithHint("use 1 to %d", trust.MaxUses)
	}
	switch in.Role {
	case "", "member":
	case "admin":
		want.Role = trust.RoleAdmin
		if want.Uses != 1 {
			return want, op.Errorf(op.Invalid, "an invite for an admin has one use").WithHint("leave --uses out")
		}
	default:
		return want, op.Errorf(op.Invalid, "nobody can be invited as %q", in.Role).WithHint("use member or admin")
	}
	lasts := inviteFor
	if in.Expires != "" {
		var err error
		if lasts, err = parseDuration(in.Expires); err != nil || lasts < inviteAtLeast || lasts > inviteAtMost {
			return want, op.Errorf(op.Invalid, "an invite cannot be good for %q", in.Expires).
				WithHint("use 1m to 30d, as in 30m, 12h or 7d")
		}
	}
	want.Expires = a.cfg.Now().Add(lasts)
	var err error
	want.Preset, err = preset(in, want.Uses)
	return want, err
}

// parseDuration reads what time.ParseDuration does, and days.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		s = days + "h"
		d, err := time.ParseDuration(s)
		if d > inviteAtMost {
			return d, err // a product would overflow
		}
		return 24 * d, err
	}
	return time.ParseDuration(s)
}

// linkAddrs are addresses as a link carries them: without the peer id, which stands
// there once, and no more than it takes.
func linkAddrs(addrs []string) []string {
	out := make([]string, 0, len(addrs))
	for _, addr := range addrs {
		if i := strings.LastIndex(addr, "/p2p/"); i >= 0 {
			addr = addr[:i]
		}
		if len(addr) > 0 && len(addr) <= invite.MaxAddr && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out[:min(len(out), invite.MaxAddrs)]
}

// invite commits the entry and the blob together.
func (m *Mesh) invite(ctx context.Context, secret invite.Secret, want trust.Invite) error {
	entry, err := m.admin.SignInvite(m.member, want, m.all.cfg.Now())
	if errors.Is(err, trust.ErrDenied) {
		return op.Errorf(op.Denied, "only the owner and admins invite, and only the owner invites admins: %w", err).
			WithHint("ask an admin of the mesh; `claudemesh info` lists them")
	}
	if err != nil {
		return fmt.Errorf("sign invite: %w", err)
	}
	added, err := m.take(ctx, []trust.Entry{entry}, func(tx *store.Tx) error {
		blob, err := invite.SealBlob(m.admin, secret, entry.ID(), m.all.cfg.Peer.String())
		if err != nil {
			return fmt.Errorf("seal invite: %w", err)
		}
		key := secret.Key().Public()
		return at(tx, m.id, bucketInvite).Put(key[:], blob)
	})
	if err != nil {
		return diskError(err)
	}
	m.all.changed(m, added)
	return nil
}

// Blob implements join.Admitter.
func (a *Meshes) Blob(_ context.Context, key ident.PublicKey) ([]byte, error) {
	_, blob, err := a.invited(key)
	return blob, err
}

// invited finds the mesh and the blob of an invite made here.
func (a *Meshes) invited(key ident.PublicKey) (*Mesh, []byte, error) {
	var mesh *Mesh
	var blob []byte
	err := a.cfg.DB.View(func(tx *store.Tx) error {
		for _, m := range a.All() {
			if b := at(tx, m.id, bucketInvite).Get(key[:]); b != nil {
				mesh, blob = m, append([]byte(nil), b...)
			}
		}
		return nil
	})
	if err == nil && mesh == nil {
		err = join.ErrUnknown
	}
	return mesh, blob, err
}

// Claim implements join.Admitter: use and admission are one commit, and only then
// the welcome leaves. Claims of one mesh are judged one after the other.
func (a *Meshes) Claim(ctx context.Context, key ident.PublicKey, from peer.ID, sealed []byte) ([]byte, error) {
	m, _, err := a.invited(key)
	if err != nil {
		return nil, err
	}
	inv, ok := m.inviteBy(key)
	if !ok {
		return nil, join.ErrUnknown
	}
	stmt, claim, err := join.OpenClaim(m.id, m.self, m.sealKey, inv, from, sealed)
	if err != nil {
		m.refuse(ident.PublicKey{}, "claim")
		return nil, err
	}
	added, err := m.admit(ctx, stmt, claim)
	if err != nil {
		m.refuse(claim.Keys.Member, "claim")
		return nil, err
	}
	if len(added) > 0 {
		m.log().Info("member admitted", "mesh", m.id, "member", claim.Keys.Member)
		person, _ := m.admin.State().Member(claim.Keys.Member)
		a.codes.Joined(key, person.Name)
		a.changed(m, added)
	}
	return invite.SealWelcome(m.admin, m.ring, claim.Keys.Member, key)
}

// admit signs and commits an admission, or finds that there is one.
func (m *Mesh) admit(ctx context.Context, stmt ident.Statement, claim trust.Claim) ([]trust.Entry, error) {
	m.admitting.Lock()
	defer m.admitting.Unlock()
	state := m.admin.State()
	inv := state.Invites[claim.Invite]
	if old, in := state.Member(claim.Keys.Member); in {
		if err := m.sameInvite(old, inv); err != nil {
			return nil, err
		}
		return m.take(ctx, nil, nil) // an admission that a full disk kept from being written
	}
	if err := join.Refusal(inv, m.all.cfg.Now()); err != nil {
		return nil, err
	}
	if _, gone := state.Gone[trust.Principal(claim.Keys.Member)]; gone {
		return nil, join.ErrDenied
	}
	entry, err := m.admin.SignAdmit(m.member, trust.Admit{
		Claim: stmt, Invite: inv.ID, Role: inv.Role, Name: freeName(state, cmp.Or(inv.Preset.Name, claim.Name)), Preset: inv.Preset,
	}, m.all.cfg.Now())
	if err != nil {
		return nil, errors.Join(join.ErrDenied, err)
	}
	return m.take(ctx, []trust.Entry{entry}, nil)
}

// inviteBy finds an invite by its public key.
func (m *Mesh) inviteBy(key ident.PublicKey) (trust.InviteState, bool) {
	for _, inv := range m.admin.State().Invites {
		if inv.Key == key {
			return inv, true
		}
	}
	return trust.InviteState{}, false
}

// sameInvite tells whether a member who claims again was admitted by this invite.
func (m *Mesh) sameInvite(old trust.Member, inv trust.InviteState) error {
	e, ok := m.admin.Get(old.Admit)
	if !ok {
		return join.ErrDenied
	}
	if a, ok := e.Body().(*trust.Admit); !ok || a.Invite != inv.ID {
		return join.ErrDenied
	}
	return nil
}

// freeName is the wished name, with a number behind it when a member has it, or one that
// looks the same.
func freeName(state *trust.State, wish string) string {
	if op.CheckNewName(wish) != nil {
		wish = "guest"
	}
	return uniqueSlug(wish, func(name string) bool {
		for _, m := range state.Members {
			if op.SameName(m.Name, name) {
				return true
			}
		}
		return false
	})
}
