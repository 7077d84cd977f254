package state

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/record"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Old changes, and too many at once, are told together: once none has come for a while, or after a time at
// the latest.
const (
	burstQuiet = 2 * time.Second
	burstMost  = 15 * time.Second
)

// maxNamed is how many keys a summary names, of those noted.
const (
	maxNamed = 10
	maxNoted = 1000
)

// burst is what has changed of old, in one mesh, and is not told yet.
type burst struct {
	keys map[string]bool
	more bool // there are more than are noted
	// By the monotonic clock.
	first, last time.Duration
}

// changed tells the sessions of this node of a change, in the commit that makes it.
func (f *Feature) changed(tx *store.Tx, c record.Change) error {
	if c.New != nil && !f.shows(c.Mesh, c.New.Author) {
		return nil
	}
	if !c.Fresh || !c.Own && !f.mayTell(c) {
		mesh, key := c.Mesh, c.Key
		tx.OnCommit(func() { f.note(mesh, key) })
		return nil
	}
	data := op.StateChange{Key: c.Key}
	var writer ident.PublicKey
	if c.New != nil {
		text, err := decode(c.New.Value)
		if err != nil {
			return nil // the book shows none that does not read
		}
		data.Value, data.At = text.value, stamped(c.New.At())
		data.UpdatedBy = f.cfg.Meshes.Author(c.Mesh, c.New.Author, text.name)
		if c.Own {
			writer = text.session // of others nobody here believes which it was
		}
	}
	return f.tell(tx, c.Mesh, op.TopicState, data, writer)
}

// How many changes of one member are told one by one: its first, and some each second.
// More would fill the conversations of all agents of the mesh; they are told together,
// like old ones.
const (
	tellBurst = 500
	tellEvery = time.Second
)

// teller is a member who changes state.
type teller struct {
	mesh   ident.MeshID
	member ident.PublicKey
}

// mayTell takes one from what may be told of the author of a change. Who is not known,
// of a deletion, has a share of its own.
func (f *Feature) mayTell(c record.Change) bool {
	of := teller{mesh: c.Mesh}
	if c.New != nil {
		of.member = c.New.Author
	}
	return f.telling.Allow(of)
}

// tell appends an event for every session of a mesh but one.
func (f *Feature) tell(tx *store.Tx, mesh ident.MeshID, topic string, data any, but ident.PublicKey) error {
	for _, s := range f.cfg.Sessions.Local(mesh) {
		if s.Session == but || s.Blind {
			continue
		}
		e, err := event(s, topic, data)
		if err != nil {
			return err
		}
		tx.Append(store.Change{Topic: topic, To: s.ID, Data: e})
	}
	return nil
}

// note remembers an old change until it is told.
func (f *Feature) note(mesh ident.MeshID, key string) {
	now := f.cfg.Mono()
	f.mu.Lock()
	b, ok := f.bursts[mesh]
	if !ok {
		b = &burst{keys: make(map[string]bool), first: now}
		f.bursts[mesh] = b
	}
	b.last = now
	if b.keys[key] || len(b.keys) < maxNoted {
		b.keys[key] = true
	} else {
		b.more = true
	}
	f.mu.Unlock()
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

// due takes the bursts out that are to be told now, and says how long it is to the
// next one; 0: there is none.
func (f *Feature) due(now time.Duration) (told map[ident.MeshID]*burst, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	told = make(map[ident.MeshID]*burst)
	for mesh, b := range f.bursts {
		rest := min(b.last+burstQuiet, b.first+burstMost) - now
		switch {
		case rest <= 0:
			told[mesh] = b
			delete(f.bursts, mesh)
		case wait == 0 || rest < wait:
			wait = rest
		}
	}
	return told, wait
}

// Run tells of what changed while this node was away, until ctx ends. What is not
// told then is found by list_state.
func (f *Feature) Run(ctx context.Context) error {
	for {
		told, wait := f.due(f.cfg.Mono())
		for mesh, b := range told {
			err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
				return f.tell(tx, mesh, op.TopicSystem, b.summary(), ident.PublicKey{})
			})
			if err != nil {
				return fmt.Errorf("tell of changed state: %w", err)
			}
		}
		if err := f.rest(ctx, wait); err != nil {
			return err
		}
	}
}

// rest waits for time or for something to come in.
func (f *Feature) rest(ctx context.Context, wait time.Duration) error {
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-over:
	case <-f.poke:
	}
	return nil
}

// summary is one sentence about all of them.
func (b *burst) summary() op.System {
	keys := make([]string, 0, len(b.keys))
	for k := range b.keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	names := strings.Join(keys[:min(len(keys), maxNamed)], ", ")
	count := fmt.Sprintf("%d", len(keys))
	if len(keys) > maxNamed {
		names += ", …"
	}
	if b.more {
		count = "more than " + count
	}
	return op.System{
		Event: "state_changed",
		Text:  fmt.Sprintf("%s shared key(s) changed in the meantime: %s. list_state shows them.", count, names),
	}
}
