package overview

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Config is what the feature is built from. All fields are needed.
type Config struct {
	Sessions Sessions
	Meshes   Meshes
	Air      Air
	Stock    Stock
	// Mono is the monotonic clock.
	Mono func() time.Duration
}

// Feature answers questions about meshes. It is safe for concurrent use. A nil
// Feature can list its operations.
type Feature struct{ cfg Config }

// New builds the feature.
func New(cfg Config) *Feature { return &Feature{cfg: cfg} }

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{
		Info.Bind(f.answerInfo), Stats.Bind(f.answerStats), Ping.Bind(f.answerPing), Probe.Bind(f.answerProbe),
	}
}

// Bounds of what is listed.
const (
	maxKeys   = 50
	maxGroups = 100
)

func (f *Feature) answerInfo(_ context.Context, c op.Caller, in InfoRequest) (InfoResponse, error) {
	self, err := f.cfg.Sessions.Caller(c, in.Mesh)
	if err != nil {
		return InfoResponse{}, err
	}
	m := self.Mesh
	out := InfoResponse{
		Slug: m.Slug, ID: m.ID.String(), Name: self.Name, Member: m.Self.String(), Role: m.Role,
		Groups: append([]GroupOfPeer{}, self.Groups...), Members: []MemberInfo{},
	}
	for _, p := range f.cfg.Meshes.Members(m.ID) {
		out.Members = append(out.Members, MemberInfo{Name: p.Name, Key: p.Key.String(), Role: p.Role})
		if p.Online {
			out.Online++
		}
	}
	groups := make(map[string]bool)
	for _, g := range self.Groups {
		groups["@"+g.Name] = true
	}
	for _, p := range f.cfg.Sessions.Peers(m.ID) {
		if p.Online {
			out.Peers++
		}
		for _, g := range p.Groups {
			groups["@"+g] = true
		}
	}
	all := append([]string{}, slices.Sorted(maps.Keys(groups))...)
	out.AllGroups = all[:min(len(all), maxGroups)]
	out.MoreGroups = len(all) - len(out.AllGroups)
	keys, total, err := f.cfg.Stock.Keys(m.ID, maxKeys)
	if err != nil {
		return InfoResponse{}, err
	}
	out.StateKeys, out.StateCount = append([]string{}, keys...), total
	return out, nil
}

func (f *Feature) answerStats(_ context.Context, c op.Caller, in StatsRequest) (StatsResponse, error) {
	meshes := f.cfg.Meshes.List()
	if in.Mesh != "" {
		self, err := f.cfg.Sessions.Caller(c, in.Mesh)
		if err != nil {
			return StatsResponse{}, err
		}
		meshes = []Mesh{self.Mesh}
	}
	out := StatsResponse{Meshes: []MeshStats{}}
	for _, m := range meshes {
		table := MeshStats{Slug: m.Slug, ID: m.ID.String(), Peers: []PeerStats{}}
		for _, p := range ordered(f.cfg.Sessions.Peers(m.ID)) {
			table.Peers = append(table.Peers, p.stats(m.Self))
		}
		out.Meshes = append(out.Meshes, table)
	}
	return out, nil
}

func ordered(peers []Peer) []Peer {
	slices.SortFunc(peers, func(a, b Peer) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), a.Session.Compare(b.Session))
	})
	return peers
}

// stats is a row of the table.
func (p Peer) stats(self ident.PublicKey) PeerStats {
	row := PeerStats{Name: p.Name, Own: p.Member == self}
	if p.Done != nil {
		minutes := int(p.Done.Uptime / time.Minute)
		row.In, row.Out, row.Calls, row.Errors, row.Uptime = &p.Done.In, &p.Done.Out, &p.Done.Calls, &p.Done.Errors, &minutes
	}
	return row
}
