package presence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/address"
	"github.com/claudemesh/claudemesh/node/feature/presence/card"
	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// attestEarly is how much of an attestation must be left; with less it is renewed. With
// more than attestMost the clock was set back since: it does not hold yet.
const (
	attestEarly = 12 * time.Hour
	attestMost  = 24 * time.Hour
)

// beacon makes this node's own signed beacon for a mesh.
func (f *Feature) beacon(m Mesh) ([]byte, error) {
	f.mu.Lock()
	f.seq++
	_, lease := roster.Pace(f.online(m.ID))
	b := roster.Beacon{Boot: f.boot, Seq: f.seq, Clock: f.cfg.Now(), Lease: lease}
	var open []*live
	for _, l := range f.sessions {
		if !l.Closed {
			open = append(open, l)
		}
	}
	slices.SortFunc(open, func(a, b *live) int { return strings.Compare(a.ID, b.ID) })
	for _, l := range open {
		c, ok := f.card(l, m)
		if ok {
			b.Cards = append(b.Cards, c)
		}
	}
	f.mu.Unlock()
	b.Node = f.cfg.Air.Card(m.ID)
	b.Fit()
	return f.cfg.Meshes.SignBeacon(m.ID, b.Encode())
}

// card describes one of the own sessions. The caller holds f.mu.
func (f *Feature) card(l *live, m Mesh) (roster.Card, bool) {
	att, err := f.attest(l, m)
	if errors.Is(err, ErrUnknownMesh) {
		return roster.Card{}, false // its key is being made: the next beacon has it
	}
	if err != nil {
		f.cfg.Log.Warn("session not attested", "mesh", m.ID, "session", l.ID, "error", err)
		return roster.Card{}, false
	}
	here := l.at(m.ID)
	if here.Hidden {
		// Only what is needed to reach it: what it does now is nobody's business.
		return roster.Card{
			Attest: att, Status: status.Mark{}.Or(), Opened: l.Opened, Sight: l.sight(m.ID), Consent: f.consent(l, m),
		}, true
	}
	return roster.Card{
		Attest: att, Status: here.Status, Summary: l.Summary[m.ID.String()], Opened: l.Opened,
		Sight: l.sight(m.ID), Role: l.Role, Cwd: l.Cwd, Host: l.Host,
		Kind: l.PeerType, Channel: l.Channel, Model: l.Model,
		Groups: here.Groups, Counts: l.told, Consent: f.consent(l, m),
	}, true
}

// attest returns the session's attestation, renewed in time. The caller holds f.mu.
func (f *Feature) attest(l *live, m Mesh) ([]byte, error) {
	if a, ok := l.attests[m.ID]; ok {
		if left := a.until.Sub(f.cfg.Now()); left > attestEarly && left <= attestMost {
			return a.stmt, nil
		}
	}
	key, ok := l.keys[m.ID]
	if !ok {
		return nil, ErrUnknownMesh
	}
	stmt, until, err := f.cfg.Meshes.Attest(m.ID, key.Public(), l.Names[m.ID.String()], l.Rights)
	if err != nil {
		return nil, err
	}
	l.attests[m.ID] = attested{stmt: stmt, until: until}
	return stmt, nil
}

// verify decodes a member's beacon and checks its signature and every attestation
// in it. A session whose attestation does not hold, or that does not itself say that
// it is the member's, is left out; left is how many are.
func (f *Feature) verify(mesh ident.MeshID, member ident.PublicKey, raw []byte) (b roster.Beacon, left int, err error) {
	stmt, err := ident.ParseStatement(raw, roster.MaxBeacon)
	if err != nil {
		return roster.Beacon{}, 0, fmt.Errorf("%w: %w", roster.ErrBeacon, err)
	}
	if err := stmt.Verify(ident.KindBeacon, mesh, member); err != nil {
		return roster.Beacon{}, 0, err
	}
	if b, err = roster.Decode(stmt.Body); err != nil {
		return roster.Beacon{}, 0, err
	}
	all := len(b.Cards)
	sure := f.consented(mesh, member)
	kept := b.Cards[:0]
	for _, c := range b.Cards {
		c.Key, c.Name, err = f.cfg.Meshes.Vouched(mesh, member, c.Attest, b.Clock)
		if err != nil {
			f.cfg.Log.Debug("session without a good attestation", "mesh", mesh, "member", member, "error", err)
			continue
		}
		if !bytes.Equal(sure[c.Key], c.Consent) || c.Consent == nil {
			if !card.Consents(mesh, member, c.Key, c.Consent) {
				f.cfg.Log.Debug("session that does not consent", "mesh", mesh, "member", member, "session", c.Key)
				continue
			}
		}
		c.Name = address.Shown(c.Name, c.Key)
		kept = append(kept, c)
	}
	b.Cards = kept
	return b, all - len(kept), nil
}

// refuse tells of something that a member said and that is not so.
func (f *Feature) refuse(mesh ident.MeshID, from ident.PublicKey, what string) {
	if f.cfg.Refused != nil {
		f.cfg.Refused(mesh, from, what)
	}
}

// Hear takes a beacon, signed by member, that is age old. It returns an error for
// one that must not be passed on: ErrKnown if that is only because it is no news,
// ErrFalse if nobody may do so.
func (f *Feature) Hear(ctx context.Context, mesh ident.MeshID, member ident.PublicKey, raw []byte, age time.Duration) error {
	return f.hear(ctx, mesh, member, raw, age, age == 0)
}

// near tells whether a member's node is connected now. Only then is its clock worth a
// vote: anybody can shout what another shouted days ago, to somebody new who cannot
// tell, and its clock would be days behind.
func (f *Feature) near(mesh ident.MeshID, member ident.PublicKey) bool {
	path, _ := f.cfg.Air.Path(mesh, member)
	return path != unreachable
}

// unreachable is what Air.Path says of a node without a connection.
const unreachable = "unreachable"

// hear is Hear. direct: the beacon is not from a list of somebody else's.
func (f *Feature) hear(ctx context.Context, mesh ident.MeshID, member ident.PublicKey, raw []byte, age time.Duration, direct bool) error {
	m, ok := f.mesh(mesh)
	if !ok {
		return ErrUnknownMesh
	}
	if member == m.Self {
		f.echo(m, raw)
		return ErrKnown
	}
	b, left, err := f.verify(mesh, member, raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFalse, err)
	}
	isMember := func(p Member) bool { return p.Key == member }
	if left > 0 && slices.ContainsFunc(f.cfg.Meshes.Members(mesh), isMember) {
		f.refuse(mesh, member, "session") // nothing that a stranger says holds, which is no fault
	}
	if age < 0 {
		age = b.Lease
	}
	near := f.near(mesh, member)
	if behind := f.MeshTime(mesh).Sub(b.Clock); !near && behind > b.Lease {
		// Whoever passed it on may have kept it: to one who never heard of the member it
		// would be news. Of a node that is connected the connection says that it is there.
		age = max(age, behind)
	}
	age = min(age, b.Lease+roster.Grace)
	direct = direct && near
	f.mu.Lock()
	r := f.roster(mesh)
	shown := len(b.Cards)
	b.Cards = f.unclaimed(mesh, member, b.Cards)
	claims := shown - len(b.Cards)
	before := r.Homes[member]
	fresh := r.Apply(member, b, raw, age, f.cfg.Mono(), f.cfg.Now())
	if fresh {
		r.Homes[member].Heard = direct
	}
	f.mu.Unlock()
	if !fresh {
		return ErrKnown
	}
	if claims > 0 {
		f.refuse(mesh, member, "claimed_session")
	}
	f.watch(m)
	f.cfg.Air.Met(mesh, member, b.Node)
	if before != nil && sameCards(before.Beacon.Cards, b.Cards) {
		return nil
	}
	return f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.Bucket(bucketBeacons, mesh.String()).Put(member[:], raw)
	})
}

// Meet asks a member's node that has just connected for all it knows, and tells
// it of this node's sessions.
func (f *Feature) Meet(ctx context.Context, mesh ident.MeshID, member ident.PublicKey) error {
	list, err := f.cfg.Air.Roster(ctx, mesh, member)
	if err != nil {
		return fmt.Errorf("ask for the roster: %w", err)
	}
	for _, a := range list.Beacons {
		who, err := ident.ParsePublicKeyHex(a.Member)
		if err != nil {
			continue
		}
		if f.outdated(mesh, who, a.Beacon) {
			continue
		}
		age := min(time.Duration(max(a.AgeMS, 0)), 24*time.Hour/time.Millisecond) * time.Millisecond
		if err := f.hear(ctx, mesh, who, a.Beacon, age, who == member); err != nil && !errors.Is(err, ErrKnown) {
			f.cfg.Log.Debug("beacon of a roster refused", "mesh", mesh, "member", who, "error", err)
			if errors.Is(err, ErrFalse) {
				f.refuse(mesh, member, "beacon")
			}
		}
	}
	return nil
}

// outdated tells whether a beacon of a list says no more than what is known. Each node
// that connects brings the beacons of all: most need not be verified again.
func (f *Feature) outdated(mesh ident.MeshID, member ident.PublicKey, raw []byte) bool {
	f.mu.Lock()
	h, known := f.roster(mesh).Homes[member]
	f.mu.Unlock()
	if !known {
		return false
	}
	stmt, err := ident.ParseStatement(raw, roster.MaxBeacon)
	if err != nil {
		return false
	}
	b, err := roster.Decode(stmt.Body)
	return err == nil && !b.Newer(h.Beacon)
}

// sameCards tells whether two beacons say the same of their sessions, so that a
// steady member costs no disk writes.
func sameCards(a, b []roster.Card) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Steady().Encode(), b[i].Steady().Encode()) {
			return false
		}
	}
	return true
}

// unclaimed drops sessions whose key another member's node, or this one, told of
// first, and those that a beacon lists twice: whoever holds a session's key can make
// it consent to two members. The caller holds f.mu.
func (f *Feature) unclaimed(mesh ident.MeshID, member ident.PublicKey, cards []roster.Card) []roster.Card {
	taken := make(map[ident.PublicKey]bool, len(cards))
	for _, c := range cards {
		taken[c.Key] = false
	}
	claim := func(key ident.PublicKey) {
		if _, asked := taken[key]; asked {
			taken[key] = true
		}
	}
	for _, l := range f.sessions {
		if key, ok := l.keys[mesh]; ok {
			claim(key.Public())
		}
	}
	for other, h := range f.roster(mesh).Homes {
		for _, c := range h.Beacon.Cards {
			if other != member {
				claim(c.Key)
			}
		}
	}
	kept := cards[:0:0]
	for _, c := range cards {
		if taken[c.Key] {
			f.cfg.Log.Warn("session of another member claimed", "mesh", mesh, "member", member, "session", c.Key)
			continue
		}
		taken[c.Key] = true // once in a beacon
		kept = append(kept, c)
	}
	return kept
}
