package trust

import (
	"fmt"
	"slices"
	"sync"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust/internal/dag"
)

// Limits of what waits for its parents in one log.
const (
	maxPending      = 4096
	maxPendingBytes = 64 << 20
)

// Log is the admin log of one mesh: a graph of entries that only grows. It may
// be used from several goroutines.
//
// Two logs that hold the same entries have the same State, in whatever order
// the entries came. What Add accepts depends on an entry and its past alone.
type Log struct {
	mesh  ident.MeshID
	owner ident.PublicKey
	bare  bool // entries may lack wraps and lists

	mu      sync.Mutex // guards all below
	graph   dag.Graph
	entries []Entry
	admits  map[ident.PublicKey][]int // by claimant
	voids   []int
	pending map[ident.ID]Entry
	waiting map[ident.ID][]ident.ID // missing parent -> pending entries
	size    int                     // bytes of pending
	state   *State
	rules   *rules
}

// NewLog begins a log with its genesis entry. It verifies the entry's signature.
func NewLog(genesis Entry) (*Log, error) { return newLog(genesis, false) }

func newLog(genesis Entry, bare bool) (*Log, error) {
	g, ok := genesis.body.(*Genesis)
	if !ok {
		return nil, fmt.Errorf("%w: a log begins with genesis", ErrKind)
	}
	if err := genesis.stmt.Verify(ident.KindGenesis, ident.MeshID{}, g.Signer); err != nil {
		return nil, err
	}
	l := &Log{
		mesh:    genesis.ID().Mesh(),
		owner:   g.Signer,
		bare:    bare,
		admits:  map[ident.PublicKey][]int{},
		pending: map[ident.ID]Entry{},
		waiting: map[ident.ID][]ident.ID{},
	}
	l.rules = &rules{log: l}
	l.append(genesis, nil, nil)
	return l, nil
}

// OpenPast builds the log that an invite carries: entries in order, genesis
// first, which may lack wraps and lists. Such a log serves to judge the invite
// and to read the names in it, not to be synced or to find keys in.
func OpenPast(entries []Entry) (*Log, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: no entries", ErrInvalid)
	}
	return load(entries, true)
}

// LoadLog builds a log from entries in the order in which Entries gave them,
// genesis first. It fails if one of them is refused or lacks a parent.
func LoadLog(entries []Entry) (*Log, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: no entries", ErrInvalid)
	}
	return load(entries, false)
}

func load(entries []Entry, bare bool) (*Log, error) {
	l, err := newLog(entries[0], bare)
	if err != nil {
		return nil, err
	}
	for _, e := range entries[1:] {
		if _, err := l.Add(e); err != nil {
			return nil, err
		}
		if !l.Has(e.ID()) {
			return nil, fmt.Errorf("%w: entry %s comes before its parents", ErrInvalid, e.ID())
		}
	}
	return l, nil
}

// Mesh is the id of the log's mesh.
func (l *Log) Mesh() ident.MeshID { return l.mesh }

// Owner is the mesh's owner.
func (l *Log) Owner() ident.PublicKey { return l.owner }

// Add verifies an entry and makes it part of the log, or keeps it until its
// parents are there. It returns what became part of the log, in order: nothing
// for an entry that is known or waits, or the entry and all that waited for it.
// An entry that can never be part fails with ErrRefused, ErrInvalid or
// ident.ErrSignature; one too many that waits fails with ErrFull.
func (l *Log) Add(e Entry) ([]Entry, error) {
	if e.body == nil {
		return nil, fmt.Errorf("%w: no entry", ErrInvalid)
	}
	if l.Has(e.id) {
		return nil, nil
	}
	if err := l.verify(e); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(e)
}

// verify checks what needs no other entry.
func (l *Log) verify(e Entry) error {
	kind := e.Kind()
	if kind == ident.KindGenesis {
		return fmt.Errorf("%w: genesis of another mesh", ErrRefused)
	}
	if !l.bare {
		if err := e.checkAttached(); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	if err := e.stmt.Verify(kind, l.mesh, e.Signer()); err != nil {
		return err
	}
	owner := e.Signer() == l.owner
	switch b := e.body.(type) {
	case *RoleChange, *Void:
		if !owner {
			return fmt.Errorf("%w: %s is the owner's to sign", ErrRefused, kind)
		}
	case *Leave:
		if owner {
			return fmt.Errorf("%w: the owner does not leave", ErrRefused)
		}
	case *Invite:
		if b.Role == RoleAdmin && !owner {
			return fmt.Errorf("%w: only the owner invites admins", ErrRefused)
		}
	case *Admit:
		if b.Role == RoleAdmin && !owner {
			return fmt.Errorf("%w: only the owner makes admins", ErrRefused)
		}
	}
	return nil
}

// add puts a verified entry in, with all that waited for it. The mutex is held.
func (l *Log) add(e Entry) ([]Entry, error) {
	if _, known := l.graph.Index(e.id); known {
		return nil, nil
	}
	parents, missing := l.parents(e)
	if len(missing) > 0 {
		return nil, l.wait(e, missing)
	}
	if err := l.place(e, parents); err != nil {
		l.drop(e.id)
		return nil, err
	}
	added := []Entry{e}
	for next := 0; next < len(added); next++ {
		for _, id := range l.release(added[next].id) {
			child, ok := l.pending[id]
			if !ok {
				continue
			}
			parents, missing := l.parents(child)
			if len(missing) > 0 {
				continue
			}
			l.forget(id)
			if l.place(child, parents) == nil {
				added = append(added, child)
			} else {
				l.drop(id)
			}
		}
	}
	return added, nil
}

// parents finds an entry's parents, or the ids of those that are not there.
func (l *Log) parents(e Entry) (found []int, missing []ident.ID) {
	for _, id := range e.body.Header().Parents {
		if i, ok := l.graph.Index(id); ok {
			found = append(found, i)
		} else {
			missing = append(missing, id)
		}
	}
	return found, missing
}

// place checks an entry against its past and appends it.
func (l *Log) place(e Entry, parents []int) error {
	past := l.graph.Join(parents)
	if err := l.fits(e, past); err != nil {
		return fmt.Errorf("%s %s: %w", e.Kind(), e.id, err)
	}
	l.append(e, parents, past)
	return nil
}

func (l *Log) append(e Entry, parents []int, past dag.Set) {
	i := l.graph.Add(e.id, parents, past)
	l.entries = append(l.entries, e)
	switch b := e.body.(type) {
	case *Admit:
		key := b.Claimed.Keys.Member
		l.admits[key] = append(l.admits[key], i)
	case *Void:
		l.voids = append(l.voids, i)
		l.rules.forget()
	}
	l.state = nil
}

// fits checks what an entry needs of its past: a signer that was ever admitted
// there, and for an admit the invite of its claim. Each is a fixed property of
// the entry, so all logs refuse the same entries.
func (l *Log) fits(e Entry, past dag.Set) error {
	signer := e.Signer()
	known := func(i int) bool { return past.Has(i) }
	if signer != l.owner && !slices.ContainsFunc(l.admits[signer], known) {
		return fmt.Errorf("%w: its signer was never admitted before it", ErrRefused)
	}
	a, ok := e.body.(*Admit)
	if !ok {
		return nil
	}
	i, ok := l.graph.Index(a.Claimed.Invite)
	if !ok || !past.Has(i) {
		return fmt.Errorf("%w: the invite of its claim is not in its past", ErrRefused)
	}
	inv, ok := l.entries[i].body.(*Invite)
	if !ok {
		return fmt.Errorf("%w: its claim names no invite", ErrRefused)
	}
	if _, err := CheckClaim(l.mesh, a.Claim, inv.Key); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !a.Invite.IsZero() && (a.Role != inv.Role || signer != inv.Admitter) {
		return fmt.Errorf("%w: not the role or the admitter of its invite", ErrRefused)
	}
	return nil
}

// wait keeps an entry until its parents come.
func (l *Log) wait(e Entry, missing []ident.ID) error {
	if _, ok := l.pending[e.id]; ok {
		return nil
	}
	size := entrySize(e)
	if len(l.pending) >= maxPending || l.size+size > maxPendingBytes {
		return ErrFull
	}
	l.pending[e.id] = e
	l.size += size
	for _, id := range missing {
		l.waiting[id] = append(l.waiting[id], e.id)
	}
	return nil
}

// release takes out the list of those that wait for id.
func (l *Log) release(id ident.ID) []ident.ID {
	ids := l.waiting[id]
	delete(l.waiting, id)
	return ids
}

// forget takes an entry out of those that wait.
func (l *Log) forget(id ident.ID) {
	if e, ok := l.pending[id]; ok {
		l.size -= entrySize(e)
		delete(l.pending, id)
	}
}

// drop forgets all that waits for an entry that was refused.
func (l *Log) drop(id ident.ID) {
	for _, child := range l.release(id) {
		l.forget(child)
		l.drop(child)
	}
}

func entrySize(e Entry) int {
	n := len(e.stmt.Body) + len(e.wraps)*wrapSize + 256
	for _, list := range e.lists {
		n += len(list)
	}
	return n
}
