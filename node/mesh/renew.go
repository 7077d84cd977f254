package mesh

import (
	"context"
	"crypto/hpke"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Bind is the own newest binding statement.
func (m *Mesh) Bind() []byte {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.bind.Marshal()
}

// Delivery is the own newest delivery statement.
func (m *Mesh) Delivery() []byte {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.delivery
}

// Private finds an own delivery key, or the seal key, by its id.
func (m *Mesh) Private(id [32]byte) (hpke.PrivateKey, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k, ok := m.private[id]
	return k, ok
}

// Renewal of what this node says of itself.
const (
	bindFor     = 30 * 24 * time.Hour
	renewEvery  = 24 * time.Hour
	keepKeyFor  = 8 * 24 * time.Hour // after its successor was published
	eraseAtMost = 6 * time.Hour      // of running time between two erasures: clocks jump
)

// renewal is a binding and perhaps a delivery key that are not on disk yet.
type renewal struct {
	bind  ident.Statement
	fresh *freshKey
}

// plan makes the own binding new, and the delivery key if a day has passed.
func (m *Mesh) plan(now time.Time) (r renewal, err error) {
	if m.keyDue(now) {
		if r.fresh, err = m.newDelivery(now); err != nil {
			return r, err
		}
	}
	r.bind = m.newBind(now)
	return r, nil
}

// write puts a renewal on disk.
func (r renewal) write(tx *store.Tx, id ident.MeshID, now time.Time) error {
	if err := at(tx, id).Put(keyBind, r.bind.Marshal()); err != nil {
		return err
	}
	if r.fresh == nil {
		return nil
	}
	return succeed(at(tx, id, bucketDelivery), *r.fresh, now)
}

// use takes a renewal that is on disk into use.
func (m *Mesh) use(r renewal, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bind = r.bind
	if r.fresh != nil {
		m.private[r.fresh.id] = r.fresh.private
		m.delivery, m.deliverySeq, m.deliveryAt = r.fresh.record.Statement, r.fresh.record.Seq, now
	}
}

// renew makes the own binding and delivery key new where a day has passed, and
// erases at most one delivery key that nobody seals to any more.
func (m *Mesh) renew(ctx context.Context, mayErase bool) (erased bool, err error) {
	m.binding.Lock()
	defer m.binding.Unlock()
	now := m.all.cfg.Now()
	r, err := m.plan(now)
	if err != nil {
		return false, err
	}
	var gone [][32]byte
	err = m.all.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		gone = gone[:0]
		if err := r.write(tx, m.id, now); err != nil || !mayErase {
			return err
		}
		gone, err = eraseOne(at(tx, m.id, bucketDelivery), now)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("renew mesh %s: %w", m.id, err)
	}
	m.use(r, now)
	m.mu.Lock()
	for _, id := range gone {
		delete(m.private, id)
	}
	m.mu.Unlock()
	if r.fresh != nil && m.all.cfg.Renewed != nil {
		m.all.cfg.Renewed(m.id)
	}
	return len(gone) > 0, nil
}

// keyDue tells whether the newest delivery key is a day old, or from a clock that
// was wrong.
func (m *Mesh) keyDue(now time.Time) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	age := now.Sub(m.deliveryAt)
	return len(m.delivery) == 0 || age >= renewEvery || age < -renewEvery
}

// freshKey is a delivery key that is not on disk yet.
type freshKey struct {
	id      [32]byte
	private hpke.PrivateKey
	record  deliveryKey
}

func (m *Mesh) newDelivery(now time.Time) (*freshKey, error) {
	private, err := seal.NewDeliveryKey()
	if err != nil {
		return nil, err
	}
	raw, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode delivery key: %w", err)
	}
	m.mu.RLock()
	seq, gen := m.deliverySeq+1, m.gen
	m.mu.RUnlock()
	public := ident.SealPublic(private)
	stmt := trust.SignDelivery(m.id, m.member, trust.Delivery{Gen: gen, Seq: seq, Key: public, Created: now})
	return &freshKey{
		id: seal.KeyID(public), private: private,
		record: deliveryKey{Private: raw, Statement: stmt.Marshal(), Seq: seq, Created: now},
	}, nil
}

// newBind states that this node is the member's home.
func (m *Mesh) newBind(now time.Time) ident.Statement {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return trust.SignBind(m.id, m.member, trust.Bind{
		Peer: []byte(m.all.cfg.Peer), Gen: m.gen, Until: now.Add(bindFor), Heads: m.admin.Heads(),
	})
}

// succeed keeps a new key and marks the one before it as succeeded.
func succeed(keys *store.Bucket, fresh freshKey, now time.Time) error {
	all, err := deliveryKeys(keys)
	if err != nil {
		return err
	}
	for id, k := range all {
		if k.Successor.IsZero() {
			k.Successor = now
			if err := store.PutJSON(keys, id[:], k); err != nil {
				return err
			}
		}
	}
	return store.PutJSON(keys, fresh.id[:], fresh.record)
}

// eraseOne deletes the oldest key whose time is over, never the newest.
func eraseOne(keys *store.Bucket, now time.Time) ([][32]byte, error) {
	all, err := deliveryKeys(keys)
	if err != nil {
		return nil, err
	}
	var oldest *[32]byte
	for id, k := range all {
		over := !k.Successor.IsZero() && now.Sub(k.Successor) >= keepKeyFor
		if over && (oldest == nil || k.Seq < all[*oldest].Seq) {
			oldest = &id
		}
	}
	if oldest == nil {
		return nil, nil
	}
	return [][32]byte{*oldest}, keys.Delete(oldest[:])
}

func deliveryKeys(keys *store.Bucket) (map[[32]byte]deliveryKey, error) {
	out := make(map[[32]byte]deliveryKey)
	for k := range pairs(keys) {
		rec, _, err := store.GetJSON[deliveryKey](keys, []byte(k))
		if err != nil {
			return nil, err
		}
		if len(k) != 32 {
			return nil, fmt.Errorf("%w: a delivery key's id has %d bytes", ErrKept, len(k))
		}
		out[[32]byte([]byte(k))] = rec
	}
	return out, nil
}
