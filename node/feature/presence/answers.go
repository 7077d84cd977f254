package presence

import (
	"cmp"
	"context"
	"slices"
	"unicode/utf8"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Ops binds the operations. It works on a nil Feature, for catalogues.
func (f *Feature) Ops() []op.Op {
	return []op.Op{
		Open.Bind(f.answerOpen), Alias.Bind(f.answerAlias), Close.Bind(f.answerClose),
		Peers.Bind(f.answerPeers), Summary.Bind(f.answerSummary),
		Whoami.Bind(f.answerWhoami), Roster.Bind(f.answerRoster), Members.Bind(f.answerMembers),
		SetStatus.Bind(f.answerSetStatus), Report.Bind(f.answerReport), SetVisible.Bind(f.answerSetVisible),
		JoinGroup.Bind(f.answerJoinGroup), LeaveGroup.Bind(f.answerLeaveGroup), Groups.Bind(f.answerGroups),
	}
}

func (f *Feature) answerOpen(ctx context.Context, c op.Caller, in OpenRequest) (OpenResponse, error) {
	if err := f.unnarrowed(c); err != nil {
		return OpenResponse{}, err
	}
	if len(in.AgentSession) > maxAgentID {
		return OpenResponse{}, op.Errorf(op.Invalid, "the agent's session id has %d bytes, at most %d are taken", len(in.AgentSession), maxAgentID)
	}
	if in.Mode != "" && !slices.Contains([]string{"push", "inbox", "off"}, in.Mode) {
		return OpenResponse{}, op.Errorf(op.Invalid, "there is no message mode %q", in.Mode).WithHint("use push, inbox or off")
	}
	if in.Name != "" {
		if err := op.CheckNewName(in.Name); err != nil {
			return OpenResponse{}, err
		}
	}
	if f.cfg.Rights != nil {
		list, err := f.cfg.Rights(in.Rights)
		if err != nil {
			return OpenResponse{}, err
		}
		in.Rights = list
	}
	l, token, resumed, err := f.open(in)
	if err != nil {
		return OpenResponse{}, err
	}
	if err := f.refresh(ctx, l.ID); err != nil {
		return OpenResponse{}, err
	}
	var first Mesh
	var own Profile
	if meshes := f.cfg.Meshes.List(); len(meshes) > 0 {
		first = meshes[0]
		if in.Mesh != "" {
			if m, err := f.pick(in.Mesh); err == nil {
				first = m
			}
		}
		own = f.profile(first.ID, first.Self)
	}
	f.mu.Lock()
	out := OpenResponse{
		Session: l.ID, Token: token, Mode: f.mode(l, own), Resumed: resumed, Name: cmp.Or(l.Names[first.ID.String()], l.Base),
	}
	f.mu.Unlock()
	f.changed(l.ID)
	return out, nil
}

// unnarrowed refuses a session that was opened with fewer rights: it may not get more by
// opening another, or by being taken for another.
func (f *Feature) unnarrowed(c op.Caller) error {
	if c.Session == "" || f.Rights(c.Session) == "" {
		return nil
	}
	return errNarrow()
}

func errNarrow() error {
	return op.Errorf(op.Denied, "a session with fewer rights than all opens no others").
		WithHint("the person at this machine opens them")
}

// Rights lists what a session of this node may do; empty: everything that sessions may.
func (f *Feature) Rights(session string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.sessions[session]; ok {
		return l.Rights
	}
	return ""
}

func (f *Feature) answerAlias(ctx context.Context, c op.Caller, in AliasRequest) (AliasResponse, error) {
	f.mu.Lock()
	l, ok := f.byAgent[in.AgentSession]
	if own := f.sessions[c.Session]; own != nil && own != l && own.Rights != "" {
		f.mu.Unlock()
		return AliasResponse{}, errNarrow()
	}
	if !ok {
		f.mu.Unlock()
		return AliasResponse{}, op.Errorf(op.NotFound, "no session has the agent session id %q", in.AgentSession)
	}
	if other, taken := f.byAgent[in.New]; taken && other != l {
		f.mu.Unlock()
		return AliasResponse{}, op.Errorf(op.Conflict, "another session has the agent session id %q", in.New)
	}
	if !slices.Contains(l.Agents, in.New) {
		l.Agents = append(l.Agents, in.New)
	}
	f.index(l)
	id := l.ID
	f.mu.Unlock()
	return AliasResponse{}, f.keep(ctx, id)
}

func (f *Feature) answerClose(ctx context.Context, c op.Caller, in CloseRequest) (CloseResponse, error) {
	f.mu.Lock()
	l, ok := f.sessions[c.Session]
	if in.AgentSession != "" {
		l, ok = f.byAgent[in.AgentSession]
	}
	if !ok {
		f.mu.Unlock()
		return CloseResponse{}, op.Errorf(op.NotFound, "there is no such session").WithHint("name it by its agent session id")
	}
	f.end(l)
	if l.drop != nil {
		l.drop()
	}
	id := l.ID
	f.mu.Unlock()
	if err := f.keep(ctx, id); err != nil {
		return CloseResponse{}, err
	}
	f.changed(id)
	return CloseResponse{}, nil
}

func (f *Feature) answerSummary(ctx context.Context, c op.Caller, in SummaryRequest) (SummaryResponse, error) {
	if n := utf8.RuneCountInString(in.Summary); n > roster.MaxSummary {
		return SummaryResponse{}, op.Errorf(op.TooLarge, "the summary has %d characters, the limit is %d", n, roster.MaxSummary).
			WithHint("one or two sentences are enough: make it shorter")
	}
	meshes, err := f.scope(in.Mesh)
	if err != nil {
		return SummaryResponse{}, err
	}
	if len(meshes) == 0 {
		_, err := f.pick("")
		return SummaryResponse{}, err
	}
	f.mu.Lock()
	l, err := f.subject(c, in.OfSession)
	if err != nil {
		f.mu.Unlock()
		return SummaryResponse{}, err
	}
	out := SummaryResponse{Summary: in.Summary}
	for _, m := range meshes {
		l.Summary[m.ID.String()] = in.Summary
		out.Meshes = append(out.Meshes, m.Slug)
	}
	id := l.ID
	f.mu.Unlock()
	if err := f.keep(ctx, id); err != nil {
		return SummaryResponse{}, err
	}
	f.Announce()
	return out, nil
}

// scope is one mesh by name, or all.
func (f *Feature) scope(slug string) ([]Mesh, error) {
	if slug == "" {
		return f.cfg.Meshes.List(), nil
	}
	m, err := f.pick(slug)
	return []Mesh{m}, err
}

func (f *Feature) answerWhoami(_ context.Context, c op.Caller, _ WhoamiRequest) (WhoamiResponse, error) {
	out := WhoamiResponse{Session: c.Session, Node: f.cfg.Node, Meshes: []Identity{}}
	for _, m := range f.cfg.Meshes.List() {
		self, err := f.Caller(c, m.ID.String())
		if err != nil {
			return WhoamiResponse{}, err
		}
		out.Meshes = append(out.Meshes, Identity{
			Mesh: m.Slug, MeshID: m.ID.String(), Name: self.Name, Role: m.Role,
			MemberKey: m.Self.String(), SessionKey: self.Session.String(),
		})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if l, ok := f.sessions[c.Session]; ok {
		out.Rights = l.Rights
		if len(l.Agents) > 0 {
			out.Agent = l.Agents[len(l.Agents)-1]
		}
	}
	return out, nil
}

// answerRoster tells another node all beacons known here and this node's own.
func (f *Feature) answerRoster(_ context.Context, c op.Caller, _ RosterRequest) (RosterResponse, error) {
	id, err := ident.ParseMeshID(c.Mesh)
	if err != nil {
		return RosterResponse{}, op.Errorf(op.Invalid, "mesh id: %w", err)
	}
	m, ok := f.mesh(id)
	if !ok {
		return RosterResponse{}, op.Errorf(op.NotFound, "no such mesh")
	}
	own, err := f.beacon(m)
	if err != nil {
		return RosterResponse{}, err
	}
	out := RosterResponse{Beacons: []AgedBeacon{{Member: m.Self.String(), Beacon: own}}}
	const room = op.MaxRequest / 2 // the rest is what base64 and JSON add
	size := len(own)
	f.mu.Lock()
	defer f.mu.Unlock()
	mono := f.cfg.Mono()
	for member, h := range f.roster(id).Homes {
		if size += len(h.Raw); size > room {
			break
		}
		out.Beacons = append(out.Beacons, AgedBeacon{Member: member.String(), Beacon: h.Raw, AgeMS: h.Age(mono).Milliseconds()})
	}
	return out, nil
}

// Boot counts the starts of this node.
func (f *Feature) Boot() uint64 { return f.boot }

// Online names the sessions of a mesh that are online, other than the asking one.
func (f *Feature) Online(mesh ident.MeshID, asking ident.PublicKey) []string {
	m, ok := f.mesh(mesh)
	if !ok {
		return nil
	}
	all, _ := f.everybody(m)
	names := []string{}
	for _, s := range all {
		if s.Here && !s.Hidden && s.Key != asking && f.reads(m, s.Member) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}
