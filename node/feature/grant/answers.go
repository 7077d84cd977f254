package grant

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func (f *Feature) answerAdd(ctx context.Context, c op.Caller, in AddRequest) (PeerResponse, error) {
	caps, err := parseCaps(in.Caps)
	if err != nil {
		return PeerResponse{}, err
	}
	return f.change(ctx, c, in.Mesh, in.Peer, func(r rule) *rule { r = r.with(caps); return &r })
}

func (f *Feature) answerRemove(ctx context.Context, c op.Caller, in RemoveRequest) (PeerResponse, error) {
	caps, err := parseCaps(in.Caps)
	if err != nil {
		return PeerResponse{}, err
	}
	return f.change(ctx, c, in.Mesh, in.Peer, func(r rule) *rule { r = r.without(caps); return &r })
}

func (f *Feature) answerBlock(ctx context.Context, c op.Caller, in BlockRequest) (PeerResponse, error) {
	return f.change(ctx, c, in.Mesh, in.Peer, func(r rule) *rule { r = r.without(all); return &r })
}

func (f *Feature) answerUnblock(ctx context.Context, c op.Caller, in UnblockRequest) (PeerResponse, error) {
	out, err := f.change(ctx, c, in.Mesh, in.Peer, func(rule) *rule { return nil })
	if err != nil || !in.Held {
		return out, err
	}
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return PeerResponse{}, err
	}
	who, err := ident.ParsePublicKeyHex(out.Key)
	if err != nil {
		return PeerResponse{}, err
	}
	out.Released, err = f.cfg.Mail.Release(ctx, self.Mesh, who)
	return out, err
}

// change finds a peer and gives it the rule that to makes of the one that counts now;
// nil: none of its own.
func (f *Feature) change(ctx context.Context, c op.Caller, slug, peer string, to func(rule) *rule) (PeerResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, slug)
	if err != nil {
		return PeerResponse{}, err
	}
	who, err := f.find(self, peer)
	if err != nil {
		return PeerResponse{}, err
	}
	if who.Key == self.Member {
		return PeerResponse{}, op.Errorf(op.Invalid, "%q is you yourself in %s", peer, self.Slug).
			WithHint("your own sessions may do what you open them with: `claudemesh mcp --rights`")
	}
	f.editing.Lock()
	defer f.editing.Unlock()
	if err := f.put(ctx, self.Mesh, who, to(f.rule(self.Mesh, who.Key))); err != nil {
		return PeerResponse{}, err
	}
	return PeerResponse{Slug: self.Slug, Granted: granted(who, f.rule(self.Mesh, who.Key))}, nil
}

func granted(who Member, r rule) Granted {
	return Granted{Name: who.Name, Key: who.Key.String(), Caps: r.caps.names(), Writes: r.writes(), Blocked: r.blocks()}
}

func (f *Feature) answerList(_ context.Context, c op.Caller, in ListRequest) (ListResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return ListResponse{}, err
	}
	return f.list(self), nil
}

func (f *Feature) answerDefault(ctx context.Context, c op.Caller, in DefaultRequest) (ListResponse, error) {
	self, err := f.cfg.Meshes.Caller(c, in.Mesh)
	if err != nil {
		return ListResponse{}, err
	}
	r := rule{muted: true}
	if !slices.Equal(in.Caps, []string{wordNone}) {
		caps, err := parseCaps(in.Caps)
		if err != nil {
			return ListResponse{}, err
		}
		r = rule{caps: caps}
	}
	f.editing.Lock()
	defer f.editing.Unlock()
	if err := f.put(ctx, self.Mesh, Member{Key: everybody}, &r); err != nil {
		return ListResponse{}, err
	}
	return f.list(self), nil
}

func (f *Feature) list(self Self) ListResponse {
	names := f.names(self.Mesh)
	out := ListResponse{Slug: self.Slug, Grants: make(map[string][]string), Peers: []Granted{}}
	out.Default = f.rule(self.Mesh, everybody).caps.names()
	f.mu.Lock()
	defer f.mu.Unlock()
	for who, r := range f.rules[self.Mesh] {
		if who == everybody {
			continue
		}
		out.Peers = append(out.Peers, granted(Member{Key: who, Name: names[who]}, r))
		out.Grants[who.String()] = r.caps.names()
	}
	slices.SortFunc(out.Peers, func(a, b Granted) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Key, b.Key))
	})
	return out
}

// names are the members' names by key.
func (f *Feature) names(mesh ident.MeshID) map[ident.PublicKey]string {
	out := make(map[ident.PublicKey]string)
	for _, m := range f.cfg.Meshes.Members(mesh) {
		out[m.Key] = m.Name
	}
	return out
}

// minPrefix is how many digits of a key name it.
const minPrefix = 8

// find finds a principal: a member by its whole name, its key or a prefix of it, the
// member of a session named so, or by its key somebody who is no member any more and of
// whom something was said. A part of a name is not enough to trust somebody by.
func (f *Feature) find(self Self, peer string) (Member, error) {
	peer = strings.TrimSpace(peer)
	members := f.cfg.Meshes.Members(self.Mesh)
	digits := strings.ToLower(peer)
	byKey := func(m Member) bool { return len(digits) >= minPrefix && strings.HasPrefix(m.Key.String(), digits) }
	found := slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return !byKey(m) && !strings.EqualFold(m.Name, peer) })
	if len(found) == 0 {
		if key, ok := f.cfg.Meshes.Owner(self.Mesh, peer); ok {
			found = []Member{{Key: key, Name: f.names(self.Mesh)[key]}}
		}
	}
	if len(found) == 0 {
		found = slices.DeleteFunc(f.spokenOf(self.Mesh), func(m Member) bool { return !byKey(m) })
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Member{}, op.Errorf(op.NotFound, "there is no peer %q in %s", peer, self.Slug).
			WithHint("name a member by its name or key; `claudemesh peers --all` lists them")
	}
	var lines []string
	for _, m := range found {
		lines = append(lines, m.Name+" "+m.Key.String()[:16])
	}
	return Member{}, op.Errorf(op.Ambiguous, "%q can mean several members of %s: %s", peer, self.Slug, strings.Join(lines, ", ")).
		WithHint("name it by its key")
}

// spokenOf are the principals of whom something was said.
func (f *Feature) spokenOf(mesh ident.MeshID) (out []Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for who := range f.rules[mesh] {
		if who != everybody {
			out = append(out, Member{Key: who})
		}
	}
	for who, m := range f.verified[mesh] {
		if _, both := f.rules[mesh][who]; !both {
			out = append(out, Member{Key: who, Name: m.Name})
		}
	}
	return out
}
