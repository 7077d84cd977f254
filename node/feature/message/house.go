package message

import (
	"context"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/cause"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/outbox"
	"github.com/claudemesh/claudemesh/store"
)

const (
	pruneEvery = time.Hour
	pruneMax   = 256 // things in one commit
)

// keepHouse writes down the age of the node and forgets what is old, until ctx
// ends. What cannot be written now, to a full disk say, is tried again at the next turn:
// a store that has failed for good ends the node by itself.
func (f *Feature) keepHouse(ctx context.Context) error {
	ticker := time.NewTicker(ageSave)
	defer ticker.Stop()
	pruned := f.age.now()
	for {
		err := f.saveAge(ctx)
		if now := f.age.now(); err == nil && now-pruned >= pruneEvery {
			if err = f.prune(ctx); err == nil {
				pruned = now
			}
		}
		if err != nil && ctx.Err() == nil {
			f.log.Warn("housekeeping put off", "error", err)
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

// prune forgets what is older than the limits say, a little in each commit.
func (f *Feature) prune(ctx context.Context) error {
	err := f.inSteps(ctx, func(tx *store.Tx, behind []byte) ([]byte, error) {
		return outbox.In(tx).Prune(behind, f.age.now()-f.limits.KeepSent, pruneMax)
	})
	if err != nil {
		return fmt.Errorf("forget sent messages: %w", err)
	}
	err = f.inSteps(ctx, func(tx *store.Tx, behind []byte) ([]byte, error) {
		return inbox.In(tx).Prune(behind, f.age.now(), f.limits.Keep, pruneMax)
	})
	if err != nil {
		return fmt.Errorf("forget received messages: %w", err)
	}
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := inbox.In(tx).PruneSpread(f.age.now()-f.limits.Keep.Keys, pruneMax); err != nil {
			return err
		}
		return cause.In(tx).Prune(f.age.now()-f.limits.KeepSent, pruneMax)
	})
	if err != nil {
		return fmt.Errorf("forget causes: %w", err)
	}
	return nil
}

// inSteps repeats an operation from the place where it left off until it says nil.
func (f *Feature) inSteps(ctx context.Context, step func(tx *store.Tx, behind []byte) ([]byte, error)) error {
	for behind, more := []byte(nil), true; more; more = behind != nil {
		var next []byte
		err := f.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			next, err = step(tx, behind)
			return err
		})
		if err != nil {
			return err
		}
		behind = next
	}
	return nil
}
