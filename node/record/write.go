package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/store"
)

// Put writes a value under a key. When it returns the record is on disk here; others
// hear of it. It waits while this node writes more than writesPerSecond. Errors: an
// op.Error where a user can do something, ErrKind, ErrKey, ErrNotOurs, ErrNoMesh, or
// ctx's.
func (b *Book) Put(ctx context.Context, mesh ident.MeshID, kind, key string, value []byte) (Entry, error) {
	if value == nil {
		value = []byte{}
	}
	k, s, err := b.may(ctx, mesh, kind, text{kind: kind, key: key, value: value})
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	err = s.write(ctx, func(t *table) error {
		e, err = s.put(t, k, text{kind: kind, key: key, value: value}, false)
		return err
	})
	return e, err
}

// Delete has a key show nothing more. existed tells whether it showed something; what
// showed nothing is not written.
func (b *Book) Delete(ctx context.Context, mesh ident.MeshID, kind, key string) (existed bool, err error) {
	k, s, err := b.may(ctx, mesh, kind, text{kind: kind, key: key})
	if err != nil {
		return false, err
	}
	err = s.write(ctx, func(t *table) error {
		v, err := s.view(t, k, key, s.slot(kind, key))
		if existed = v.shows; err != nil || !existed {
			return err
		}
		_, err = s.put(t, k, text{kind: kind, key: key}, true)
		return err
	})
	return existed, err
}

// may checks a write and waits until it may begin. A nil value is a deletion.
func (b *Book) may(ctx context.Context, mesh ident.MeshID, kind string, what text) (Kind, *shelf, error) {
	k, s, err := b.at(mesh, kind)
	if err != nil {
		return k, s, err
	}
	if err := checkKey(what.key); err != nil {
		return k, s, err
	}
	if k.Writes != nil && !k.Writes(mesh, s.mesh.Self, what.key) {
		return k, s, fmt.Errorf("%w: %s %q", ErrNotOurs, kind, what.key)
	}
	if room := MaxValue(kind, what.key); len(what.value) > room {
		return k, s, op.Errorf(op.TooLarge, "%q has %d bytes, and a record holds at most %d", what.key, len(what.value), room).
			WithHint("share something shorter, or a reference to it")
	}
	if k.Check != nil && what.value != nil {
		if err := k.Check(what.value); err != nil {
			return k, s, fmt.Errorf("%s %q: %w", kind, what.key, err)
		}
	}
	return k, s, pause(ctx, b.pace.Book(mesh))
}

// writesPerSecond is how fast one author writes for long, and how much at once
// (docs/delivery.md 10).
const writesPerSecond = 100

// pause waits, or ends with ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// MaxValue is how many bytes a value of a key may have: a record has room for 64 KiB
// with its key and what sealing adds.
func MaxValue(kind, key string) int {
	const prefix = 4 // of the value: its tag, and up to three bytes of length
	bare := text{kind: kind, key: key}.encode(true)
	return replica.MaxCipher - seal.BoxOverhead - len(bare) - prefix
}

// write runs a write in a transaction of its own.
func (s *shelf) write(ctx context.Context, fn func(t *table) error) error {
	return explained(s.Update(ctx, func(tx replica.Tx) error { return fn(tx.(*table)) }))
}

// explained says what a user can do about a refused write.
func explained(err error) error {
	switch {
	case errors.Is(err, replica.ErrFull):
		return op.Errorf(op.TooLarge, "this node keeps %d records in this mesh already, the most one member may: %w", replica.MaxLive, err).
			WithHint("delete some that are not needed any more")
	case errors.Is(err, trust.ErrNoKey), errors.Is(err, errSealed):
		return op.Errorf(op.Unavailable, "this node has not been given the mesh's newest key yet: %w", err).
			WithHint("try again when another member is connected")
	default:
		return err
	}
}

// put writes one record.
func (s *shelf) put(t *table, k Kind, what text, deleted bool) (Entry, error) {
	slot := s.slot(what.kind, what.key)
	v, err := s.view(t, k, what.key, slot)
	if err != nil {
		return Entry{}, err
	}
	if !deleted {
		if err := t.index().room(k, slot, s.mesh.Self); err != nil {
			return Entry{}, err
		}
	}
	var over Clock
	for _, e := range v.counted {
		over = max(over, e.Clock)
	}
	epoch, err := s.roster.now()
	if err != nil {
		return Entry{}, err
	}
	t.own = true
	defer func() { t.own = false }()
	r, err := s.rep.Append(t, s.mesh.Blind, replica.Write{
		Slot: slot, Clock: nextClock(s.now(), t.index().clock(), over), Epoch: epoch, Deleted: deleted,
		Seal: func(h replica.Header) ([]byte, error) { return s.seal(what, h) },
	})
	if err != nil {
		return Entry{}, err
	}
	if err := t.index().moved(r.Clock); err != nil {
		return Entry{}, err
	}
	s.tell(t.Tx(), r)
	return Entry{Key: what.key, Value: what.value, Author: s.mesh.Self, Clock: r.Clock, Deleted: deleted}, nil
}

// tell has others hear of a record once it is on disk.
func (s *shelf) tell(tx *store.Tx, r replica.Record) {
	raw := r.Raw()
	tx.OnCommit(func() {
		if s.flags.grown(r.Log.Inc) {
			s.book.wake()
		}
		select {
		case s.book.news <- told{s.id, raw}:
		default: // by exchange then
		}
	})
}
