package grant

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/grant/safety"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Verify shows safety numbers.
var Verify = op.Spec[VerifyRequest, VerifyResponse]{
	ID: "verify.show",
	Doc: "Show the safety number of you and a peer, or of you and everybody: 30 digits made of your two member keys.\n" +
		"Compare them with the peer over a channel that you trust, as in person: if both see the same, nobody sits between you.",
	Names: op.Names{CLI: "verify [peer]"},
}

// Mark says that the numbers were compared.
var Mark = op.Spec[MarkRequest, VerifyResponse]{
	ID:    "verify.mark",
	Doc:   "Mark a peer verified once you have compared the safety numbers, or take the mark away. You are warned when its name has another key later.",
	Needs: op.Manage,
}

// VerifyRequest names a peer, or means everybody; without a mesh, in all meshes.
type VerifyRequest struct {
	op.InMesh
	Peer   string `json:"peer,omitempty" jsonschema:"a member's or session's name, or 8 or more digits of its key; everybody if left out"`
	Grants bool   `json:"with_grants,omitempty" jsonschema:"also tell what the peer may do"`
}

// MarkRequest names a peer.
type MarkRequest struct {
	op.InMesh
	WhichPeer
	Undo bool `json:"undo,omitempty" jsonschema:"take the mark away"`
}

// VerifyResponse has an entry per peer and mesh.
type VerifyResponse struct {
	Peers []Compared `json:"peers"`
}

// Compared is one peer's safety number.
type Compared struct {
	Slug     string   `json:"mesh"`
	Peer     string   `json:"peer"`
	Key      string   `json:"pubkey" jsonschema:"the peer's member key, hex"`
	Own      string   `json:"ownPubkey" jsonschema:"your member key in this mesh, hex"`
	Number   string   `json:"safetyNumber"`
	Verified string   `json:"verifiedAt,omitempty" jsonschema:"when you marked it verified, RFC 3339; absent: never"`
	Warning  string   `json:"warning,omitempty"`
	Grants   *Granted `json:"grants,omitempty"`
}

// Text has a few lines per peer.
func (r VerifyResponse) Text() string {
	lines := make([]string, 0, len(r.Peers))
	for _, p := range r.Peers {
		mark := "not verified yet"
		if p.Verified != "" {
			mark = "verified " + p.Verified
		}
		text := fmt.Sprintf("%s in %s (%s), %s\n  %s", p.Peer, p.Slug, p.Key[:16], mark, p.Number)
		if p.Warning != "" {
			text += "\n  WARNING: " + p.Warning
		}
		if p.Grants != nil {
			text += "\n  " + p.Grants.May().String()
		}
		lines = append(lines, text)
	}
	if len(lines) == 0 {
		return "Nobody else is in your meshes yet."
	}
	return strings.Join(lines, "\n")
}

// mark is what is kept of a verified key. Fields are exported for the JSON codec alone.
type mark struct {
	Name string    `json:"name"` // whose it was then
	At   time.Time `json:"at"`
}

func (f *Feature) answerVerify(_ context.Context, c op.Caller, in VerifyRequest) (VerifyResponse, error) {
	meshes := f.cfg.Meshes.List()
	if in.Mesh != "" || len(meshes) < 2 {
		self, err := f.cfg.Meshes.Caller(c, in.Mesh)
		if err != nil {
			return VerifyResponse{}, err
		}
		meshes = []Self{self}
	}
	out := VerifyResponse{Peers: []Compared{}}
	var failed error
	for _, self := range meshes {
		peers, err := f.meant(self, in.Peer)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		for _, p := range peers {
			one := f.compared(self, p)
			if in.Grants {
				g := granted(p, f.rule(self.Mesh, p.Key))
				one.Grants = &g
			}
			out.Peers = append(out.Peers, one)
		}
	}
	if len(out.Peers) == 0 && failed != nil {
		return VerifyResponse{}, failed
	}
	return out, nil
}

// meant is one peer, or everybody but the own member.
func (f *Feature) meant(self Self, peer string) ([]Member, error) {
	if peer == "" {
		others := slices.Clone(f.cfg.Meshes.Members(self.Mesh))
		return slices.DeleteFunc(others, func(m Member) bool { return m.Key == self.Member }), nil
	}
	one, err := f.find(self, peer)
	if err == nil && one.Key == self.Member {
		err = op.Errorf(op.Invalid, "%q is you yourself in %s", peer, self.Slug).WithHint("name somebody else")
	}
	return []Member{one}, err
}

// compared is what there is to say of a peer.
func (f *Feature) compared(self Self, p Member) Compared {
	out := Compared{
		Slug: self.Slug, Peer: cmp.Or(p.Name, "member "+p.Key.String()[:16]), Key: p.Key.String(), Own: self.Member.String(),
		Number: safety.Number(self.Member, p.Key), Warning: f.Warning(self.Mesh, p.Key),
	}
	if at, ok := f.Verified(self.Mesh, p.Key); ok {
		out.Verified = at.UTC().Format(time.RFC3339)
	}
	return out
}

func (f *Feature) answerMark(ctx context.Context, c op.Caller, in MarkRequest) (VerifyResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return VerifyResponse{}, err
	}
	peers, err := f.meant(self, in.Peer)
	if err != nil {
		return VerifyResponse{}, err
	}
	if len(peers) != 1 || in.Peer == "" {
		return VerifyResponse{}, op.Errorf(op.Invalid, "no peer is named").WithHint("name the one whose number you have compared")
	}
	if err := f.mark(ctx, self.Mesh, peers[0], in.Undo); err != nil {
		return VerifyResponse{}, err
	}
	return VerifyResponse{Peers: []Compared{f.compared(self, peers[0])}}, nil
}

// mark marks a member's key, or takes the mark away. Whoever was verified under the
// name before is not it any more.
func (f *Feature) mark(ctx context.Context, mesh ident.MeshID, who Member, undo bool) error {
	f.editing.Lock()
	defer f.editing.Unlock()
	is := make(map[ident.PublicKey]mark)
	f.mu.Lock()
	for key, m := range f.verified[mesh] {
		if key != who.Key && !strings.EqualFold(m.Name, who.Name) {
			is[key] = m
		}
	}
	was := f.verified[mesh]
	f.mu.Unlock()
	if !undo {
		is[who.Key] = mark{Name: who.Name, At: f.cfg.Now().UTC()}
	}
	changes := marked(mesh, was, is, who)
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := f.account(tx, changes...); err != nil {
			return err
		}
		b := tx.Bucket(bucket, mesh.String(), bucketVerified)
		for key := range was {
			if _, still := is[key]; still {
				continue
			}
			if err := b.Delete(key[:]); err != nil {
				return err
			}
		}
		tx.OnCommit(func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.verified[mesh] = is
		})
		if undo {
			return nil
		}
		return store.PutJSON(b, who.Key[:], is[who.Key])
	})
	if err != nil {
		return fmt.Errorf("keep the mark: %w", err)
	}
	f.cfg.Log.Info("key marked", "mesh", mesh, "member", who.Key, "verified", !undo)
	return f.check(ctx, mesh)
}

// Verified tells since when a member's key is marked verified.
func (f *Feature) Verified(mesh ident.MeshID, member ident.PublicKey) (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.verified[mesh][member]
	return m.At, ok
}
