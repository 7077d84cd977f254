package mesh

import (
	"context"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Mesh is one mesh this node is a member of. Its methods are safe for concurrent
// use.
type Mesh struct {
	all     *Meshes
	id      ident.MeshID
	self    ident.PublicKey
	member  ident.PrivateKey
	blind   ident.PrivateKey
	sealKey hpke.PrivateKey
	tagKey  [32]byte
	admin   *trust.Log
	ring    *trust.Keyring

	vouchers vouchers

	// taking orders what enters the admin log with what is written to disk. It is
	// held across the commit, and never together with mu.
	taking sync.Mutex
	// unsaved are entries in the log that a failed commit (a full disk) left unwritten;
	// the next one writes them, so that no entry is on disk without its parents.
	// taking guards it.
	unsaved []trust.Entry
	// admitting orders what this node signs: two claims cannot take an invite's last
	// use, and each own entry has those before it in its past. It is held across the
	// commit, before taking.
	admitting sync.Mutex
	// binding orders new bindings, so that a daily one cannot undo a raised
	// generation. It is held across the commit, before mu.
	binding sync.Mutex
	// setting orders changes of settings, so that of two the later one is on top of the
	// other. It is held across the commit, before taking.
	setting sync.Mutex

	mu          sync.RWMutex // guards what follows
	record      record
	gen         uint64 // generation of the own binding
	bind        ident.Statement
	delivery    []byte // newest own delivery statement
	deliverySeq uint64
	deliveryAt  time.Time
	private     map[[32]byte]hpke.PrivateKey // own seal and delivery keys by id
	known       map[ident.PublicKey]known
	attested    uint64       // newest attestation's seq
	told        *trust.Entry // a removal of the own member that the log cannot take up
	away        *trust.Bind  // the own member's later binding to another node
	moved       bool         // somebody's home is another one: connections follow
	outdated    map[string]ident.PublicKey
	sets        epochSets
	heard       chan struct{} // closed and renewed when somebody heard of the mesh's end
}

// newMesh builds a mesh from its log and keys, without what the store holds beside.
func newMesh(all *Meshes, seed ident.Seed, admin *trust.Log, ring *trust.Keyring, rec record) (*Mesh, error) {
	sealKey := seed.Seal()
	ring.Unlock(admin, seed.Member().Public(), sealKey)
	epoch0, err := ring.Epoch0(admin)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKept, err)
	}
	m := &Mesh{
		all: all, id: admin.Mesh(), member: seed.Member(), self: seed.Member().Public(), blind: seed.Blind(),
		admin: admin, ring: ring, record: rec, gen: 1,
		tagKey: trust.TagKey(epoch0, admin.Mesh()), sealKey: sealKey,
		private: map[[32]byte]hpke.PrivateKey{seal.KeyID(ident.SealPublic(sealKey)): sealKey},
		known:   make(map[ident.PublicKey]known),
		heard:   make(chan struct{}),
	}
	return m, nil
}

// load reads a mesh of an earlier run.
func load(all *Meshes, tx *store.Tx, id ident.MeshID) (*Mesh, error) {
	seed, err := readSeed(all.cfg.Dir, id)
	if err != nil {
		return nil, err
	}
	rec, _, err := store.GetJSON[record](at(tx, id), keyInfo)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKept, err)
	}
	admin, err := loadLog(at(tx, id, bucketLog))
	if err != nil {
		return nil, err
	}
	ring, err := newRing(admin, pairs(at(tx, id, bucketEpoch)))
	if err != nil {
		return nil, err
	}
	m, err := newMesh(all, seed, admin, ring, rec)
	if err != nil {
		return nil, err
	}
	return m, m.loadRest(tx)
}

func loadLog(b *store.Bucket) (*trust.Log, error) {
	var entries []trust.Entry
	var bad error
	b.Ascend(nil, func(_, v []byte) bool {
		var e trust.Entry
		if e, bad = trust.ParseEntry(append([]byte(nil), v...)); bad == nil {
			entries = append(entries, e)
		}
		return bad == nil
	})
	if bad != nil {
		return nil, fmt.Errorf("%w: admin log: %w", ErrKept, bad)
	}
	admin, err := trust.LoadLog(entries)
	if err != nil {
		return nil, fmt.Errorf("%w: admin log: %w", ErrKept, err)
	}
	return admin, nil
}

// newRing makes a keyring of kept keys, by the ids of their epochs' entries.
func newRing(admin *trust.Log, keys map[string][]byte) (*trust.Keyring, error) {
	ring := trust.NewKeyring()
	for id, key := range keys {
		if len(id) != len(ident.ID{}) || len(key) != 32 {
			return nil, fmt.Errorf("%w: an epoch key of %d bytes", ErrKept, len(key))
		}
		if err := ring.Put(admin, ident.ID([]byte(id)), [32]byte(key)); err != nil {
			return nil, fmt.Errorf("%w: epoch key: %w", ErrKept, err)
		}
	}
	return ring, nil
}

// loadRest reads the own binding and delivery keys and what is known of others.
func (m *Mesh) loadRest(tx *store.Tx) error {
	if raw := at(tx, m.id).Get(keyBind); raw != nil {
		stmt, err := ident.ParseStatement(append([]byte(nil), raw...), trust.MaxBody)
		if err != nil {
			return fmt.Errorf("%w: binding: %w", ErrKept, err)
		}
		if err := m.takeUp(stmt); err != nil {
			return err
		}
	}
	keys, err := deliveryKeys(at(tx, m.id, bucketDelivery))
	if err != nil {
		return fmt.Errorf("%w: delivery keys: %w", ErrKept, err)
	}
	for id, k := range keys {
		private, err := seal.ParsePrivate(k.Private)
		if err != nil {
			return fmt.Errorf("%w: delivery key: %w", ErrKept, err)
		}
		m.private[id] = private
		if k.Seq > m.deliverySeq {
			m.deliverySeq, m.delivery, m.deliveryAt = k.Seq, k.Statement, k.Created
		}
	}
	if err := errors.Join(m.loadTold(tx), m.loadElsewhere(tx)); err != nil {
		return err
	}
	for key := range pairs(at(tx, m.id, bucketPeer)) {
		c, _, err := store.GetJSON[contact](at(tx, m.id, bucketPeer), []byte(key))
		if err != nil {
			return fmt.Errorf("%w: contact: %w", ErrKept, err)
		}
		if member, err := ident.ParsePublicKey([]byte(key)); err == nil {
			m.learn(member, c)
		}
	}
	return nil
}

// takeUp goes on from the binding of the last run. When it named another node, this
// installation's key is new: a higher generation tells the others that the member has
// moved.
func (m *Mesh) takeUp(stmt ident.Statement) error {
	b, err := trust.CheckBind(m.id, stmt)
	if err != nil || b.Member != m.self {
		return fmt.Errorf("%w: the key file is not that of the member whose mesh this is (%w)", ErrKeyFile, errors.Join(err, ErrKept))
	}
	m.bind, m.gen = stmt, b.Gen
	if string(b.Peer) != string(m.all.cfg.Peer) {
		m.gen++
		m.log().Warn("this node's key is new: other members find it again once they hear of it", "mesh", m.id)
	}
	return nil
}

// take makes entries part of the admin log and commits those that are new, with
// whatever else also writes in the same commit. It returns those that became part
// once they are on disk; the caller then calls Meshes.changed. Entries that can never
// be part are refused one by one; the others are taken.
func (m *Mesh) take(ctx context.Context, entries []trust.Entry, also func(*store.Tx) error) ([]trust.Entry, error) {
	return m.takeFrom(ctx, m.self, entries, also)
}

// takeFrom is take of entries that a member's node gave. What is refused came from
// there, whoever it names as its signer.
func (m *Mesh) takeFrom(ctx context.Context, from ident.PublicKey, entries []trust.Entry, also func(*store.Tx) error) ([]trust.Entry, error) {
	m.taking.Lock()
	defer m.taking.Unlock()
	if len(entries) == 0 && len(m.unsaved) == 0 {
		return nil, nil
	}
	var added []trust.Entry
	var refused error
	var told *trust.Entry
	for _, e := range entries {
		got, err := m.admin.Add(e)
		if err != nil {
			refused = fmt.Errorf("entry %s refused: %w", e.ID(), err)
			m.refuse(from, "log_entry")
			continue
		}
		added = append(added, got...)
		if m.removes(e) {
			told = &e
		}
	}
	m.ring.Unlock(m.admin, m.self, m.sealKey)
	m.unsaved = append(m.unsaved, added...)
	err := m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := errors.Join(m.write(tx, m.unsaved), m.writeTold(tx, told)); err != nil {
			return err
		}
		if took := m.all.cfg.Took; took != nil && len(m.unsaved) > 0 {
			if err := took(tx, m.id, m.self, m.unsaved, m.admin.State()); err != nil {
				return err
			}
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("keep admin log: %w", err)
	}
	m.unsaved = nil
	m.hear(told)
	return added, refused
}

// write puts entries and all known epoch keys on disk.
func (m *Mesh) write(tx *store.Tx, entries []trust.Entry) error {
	log := at(tx, m.id, bucketLog)
	for _, e := range entries {
		if err := log.Put(binary.BigEndian.AppendUint64(nil, log.Sequence()), e.Marshal()); err != nil {
			return err
		}
	}
	return m.writeKeys(tx)
}

func (m *Mesh) writeKeys(tx *store.Tx) error {
	keys := at(tx, m.id, bucketEpoch)
	for id, key := range m.ring.Keys() {
		if keys.Get(id[:]) != nil {
			continue
		}
		if err := keys.Put(id[:], key[:]); err != nil {
			return err
		}
	}
	return nil
}

// entryIDs lists the admin log's entries, parents first.
func (m *Mesh) entryIDs() []ident.ID {
	entries := m.admin.Entries()
	ids := make([]ident.ID, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.ID())
	}
	return ids
}

// Heads are the admin log's heads.
func (m *Mesh) Heads() []ident.ID { return m.admin.Heads() }

// Lacks tells whether any of the ids is unknown to the admin log.
func (m *Mesh) Lacks(ids []ident.ID) bool { return len(m.admin.Missing(ids)) > 0 }

// Self is the own member's key.
func (m *Mesh) Self() ident.PublicKey { return m.self }

// Slug is the mesh's name on this machine.
func (m *Mesh) Slug() string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.record.Slug
}

// State is what the admin log says now.
func (m *Mesh) State() *trust.State { return m.admin.State() }

// Info describes the mesh to clients.
func (m *Mesh) Info() Info {
	state := m.admin.State()
	own, _ := state.Member(m.self)
	m.mu.RLock()
	out := Info{
		ID: m.id.String(), Slug: m.record.Slug, Name: m.Name(), Member: own.Name, MemberKey: m.self.String(),
		Role: own.Role.String(), Members: len(state.Members), JoinedAt: m.record.Joined.UTC().Format(time.RFC3339),
		KeyDue: !state.Clean(), KeyMissing: len(m.ring.Missing(state.EpochHeads)) > 0,
	}
	m.mu.RUnlock()
	if gone, ok := m.Removed(); ok {
		out.Member, out.Role, out.Removed = gone.Name, "removed", &gone
	}
	if there, ok := m.Elsewhere(); ok {
		out.Elsewhere = &there
	}
	return out
}

// Sign signs a statement with the own member key.
func (m *Mesh) Sign(kind ident.Kind, body []byte) ident.Statement {
	return ident.Sign(kind, m.id, body, m.member)
}

func (m *Mesh) log() *slog.Logger { return m.all.cfg.Log }
