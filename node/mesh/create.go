package mesh

import (
	"context"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Ops binds the operations. It works on a nil Meshes, for catalogues.
func (a *Meshes) Ops() []op.Op {
	return []op.Op{
		New.Bind(a.answerNew), Invite.Bind(a.answerInvite), Code.Bind(a.answerCode),
		CodeWait.Bind(a.answerCodeWait), CodeEnd.Bind(a.answerCodeEnd), Join.Bind(a.answerJoin),
		List.Bind(a.answerList), Leave.Bind(a.answerLeave),
		Promote.Bind(a.answerPromote), Demote.Bind(a.answerDemote), Void.Bind(a.answerVoid),
		Ban.Bind(a.answerBan), Unban.Bind(a.answerUnban), Bans.Bind(a.answerBans),
		Kick.Bind(a.answerKick), Kicked.Bind(a.answerKicked),
		Rename.Bind(a.answerRename), Close.Bind(a.answerClose),
		Invites.Bind(a.answerInvites), Uninvite.Bind(a.answerUninvite), Keys.Bind(a.answerKeys),
	}
}

func (a *Meshes) answerList(context.Context, op.Caller, ListRequest) (ListResponse, error) {
	out := ListResponse{Meshes: []Info{}, Broken: a.broken}
	for _, m := range a.All() {
		out.Meshes = append(out.Meshes, m.Info())
	}
	return out, nil
}

func (a *Meshes) answerNew(ctx context.Context, _ op.Caller, in NewRequest) (NewResponse, error) {
	if err := checkSlug(in.Name); err != nil {
		return NewResponse{}, err
	}
	name := in.Member
	if name == "" {
		name = a.cfg.Name
	}
	if err := op.CheckNewName(name); err != nil {
		return NewResponse{}, err
	}
	a.entering.Lock()
	defer a.entering.Unlock()
	if slices.ContainsFunc(a.All(), func(m *Mesh) bool { return m.Slug() == in.Name }) {
		return NewResponse{}, op.Errorf(op.Conflict, "you are in a mesh named %s already", in.Name).WithHint("choose another name")
	}
	m, err := a.create(ctx, in.Name, name)
	if err != nil {
		return NewResponse{}, err
	}
	return NewResponse{Info: m.Info()}, nil
}

// create founds a mesh with a new member as its owner.
func (a *Meshes) create(ctx context.Context, name, owner string) (*Mesh, error) {
	seed, err := ident.NewSeed()
	if err != nil {
		return nil, err
	}
	epoch0, err := seal.NewKey()
	if err != nil {
		return nil, err
	}
	genesis, err := trust.CreateGenesis(seed, name, owner, a.cfg.Now(), epoch0)
	if err != nil {
		return nil, fmt.Errorf("found mesh: %w", err)
	}
	id := genesis.ID()
	return a.enter(ctx, seed, []trust.Entry{genesis}, map[string][]byte{string(id[:]): epoch0[:]})
}

// enter makes a mesh from its log and epoch keys: the key file first, then one
// commit with all the rest, then everybody may know.
func (a *Meshes) enter(ctx context.Context, seed ident.Seed, entries []trust.Entry, keys map[string][]byte) (*Mesh, error) {
	admin, err := trust.LoadLog(entries)
	if err != nil {
		return nil, fmt.Errorf("the mesh's admin log: %w", err)
	}
	ring, err := newRing(admin, keys)
	if err != nil {
		return nil, err
	}
	m, err := newMesh(a, seed, admin, ring, record{Joined: a.cfg.Now()})
	if err != nil {
		return nil, err
	}
	rec := m.record
	rec.Called = m.Name()
	rec.Slug = a.freeSlug(rec.Called, m)
	m.record = rec
	if err := writeSeed(a.cfg.Dir, m.id, seed); err != nil {
		return nil, diskError(err)
	}
	now := a.cfg.Now()
	first, err := m.plan(now)
	if err != nil {
		return nil, err
	}
	err = a.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := store.PutJSON(at(tx, m.id), keyInfo, rec); err != nil {
			return err
		}
		if err := first.write(tx, m.id, now); err != nil {
			return err
		}
		return m.write(tx, entries)
	})
	if err != nil {
		return nil, diskError(fmt.Errorf("keep mesh: %w", err))
	}
	m.use(first, now)
	a.add(m)
	a.cfg.Net.Entered(ctx, m.id)
	return m, nil
}
