package message

import (
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

const (
	pruneEvery = time.Hour
	pruneMax   = 256 // things in one commit
)

// keepHouse writes down the age of the node and forgets what is old, until ctx
// ends.
func (f *Feature) keepHouse(ctx context.Context) error {
	ticker := time.NewTicker(ageSave)
	defer ticker.Stop()
	pruned := f.age.now()
	for {
		if err := f.saveAge(ctx); err != nil {
			return err
		}
		if f.age.now()-pruned >= pruneEvery {
			pruned = f.age.now()
			if err := f.prune(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (f *Feature) saveAge(ctx context.Context) error {
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error { return f.age.save(tx, f.cfg.Now()) })
	if err != nil {
		return fmt.Errorf("write down the age of the store: %w", err)
	}
	f.forgetRates()
	return nil
}

// forgetRates drops buckets that nothing is counted in.
func (f *Feature) forgetRates() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Mono()
	for k, b := range f.sending {
		if b.Full(f.limits.SendRate, now) {
			delete(f.sending, k)
		}
	}
	for k, b := range f.receiving {
		if b.Full(f.limits.ReceiveRate, now) {
			delete(f.receiving, k)
		}
	}
}

// prune forgets what is older than the limits say.
func (f *Feature) prune(ctx context.Context) error {
	if err := f.pruneSent(ctx); err != nil {
		return fmt.Errorf("forget sent messages: %w", err)
	}
	var meshes []ident.MeshID
	err := f.cfg.DB.View(func(tx *store.Tx) error {
		meshes = inbox.In(tx).Meshes()
		return nil
	})
	for _, mesh := range meshes {
		if err == nil {
			err = f.pruneReceived(ctx, mesh)
		}
	}
	if err != nil {
		return fmt.Errorf("forget received messages: %w", err)
	}
	return nil
}

func (f *Feature) pruneSent(ctx context.Context) error {
	for n := pruneMax; n == pruneMax; {
		err := f.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			limit := f.age.now() - f.limits.KeepSent
			if err := causesIn(tx).prune(limit, pruneMax); err != nil {
				return err
			}
			n, err = outbox.In(tx).Prune(limit, pruneMax)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Feature) pruneReceived(ctx context.Context, mesh ident.MeshID) error {
	for after, more := uint64(0), true; more; {
		var next uint64
		err := f.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			next, err = inbox.In(tx).Prune(mesh, after, f.age.now(), f.limits.Keep, pruneMax)
			return err
		})
		if err != nil {
			return err
		}
		after, more = next, next > 0
	}
	return nil
}
