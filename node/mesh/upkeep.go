package mesh

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Pace of what follows a change of the admin log.
const (
	turnStep  = 3 * time.Second  // the k-th admin waits k times as long
	turnMix   = time.Second      // and up to so much more
	tryAgain  = 10 * time.Second // after a failure
	pullFor   = 15 * time.Second // asking for keys may take
	lookAgain = time.Hour        // nothing is due
)

// poke wakes one of the loops below.
func (a *Meshes) poke(loop chan struct{}) {
	select {
	case loop <- struct{}{}:
	default:
	}
}

// loop calls look when it is woken, and again after as long as it says.
func (a *Meshes) loop(ctx context.Context, wake <-chan struct{}, look func(context.Context) time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Reset(look(ctx))
	}
}

// rotate writes the epochs that are due, each after this node's turn has come and
// nobody before it has written one.
func (a *Meshes) rotate(ctx context.Context) {
	turns := turns{}
	a.loop(ctx, a.rotating, func(ctx context.Context) time.Duration {
		next := lookAgain
		for _, m := range a.All() {
			left, due := turns.left(m, a.cfg.Mono(), rand.N(turnMix))
			if due && left <= 0 {
				left = tryAgain
				if err := m.rekey(ctx); err != nil && ctx.Err() == nil {
					a.cfg.Log.Error("the mesh's key was not changed", "mesh", m.id, "error", err)
				}
			}
			if due {
				next = min(next, left)
			}
		}
		return next
	})
}

// turns remembers when this node's turn comes, on the monotonic clock.
type turns map[ident.MeshID]time.Duration

// left is how long this node still waits before it writes a mesh's epoch. due is
// false if none is due or it is not this node's to write.
func (t turns) left(m *Mesh, now, mix time.Duration) (left time.Duration, due bool) {
	state := m.admin.State()
	turn, mine := state.RekeyTurn(m.self)
	if state.Clean() || !mine || !m.In() {
		delete(t, m.id)
		return 0, false
	}
	at, waits := t[m.id]
	if !waits {
		if at = now; turn > 0 { // the owner waits for nobody
			at += time.Duration(turn)*turnStep + mix
		}
		t[m.id] = at
	}
	return at - now, true
}

// rekey begins a new epoch, if one is due still.
func (m *Mesh) rekey(ctx context.Context) error {
	key, err := seal.NewKey()
	if err != nil {
		return err
	}
	added, err := m.sign(ctx, func() (trust.Entry, error) {
		if m.admin.State().Clean() {
			return trust.Entry{}, errClean
		}
		return m.admin.SignEpoch(m.member, key, m.ring, m.all.cfg.Now())
	})
	if err != nil {
		return err
	}
	m.log().Info("the mesh has a new key", "mesh", m.id)
	m.all.changed(m, added)
	return nil
}

// fetch has connections follow members that have moved, and gets the epoch keys that
// this node lacks from members that are connected.
func (a *Meshes) fetch(ctx context.Context) {
	a.loop(ctx, a.fetching, func(ctx context.Context) time.Duration {
		next := lookAgain
		for _, m := range a.All() {
			if m.takeMoved() {
				a.cfg.Net.Changed(m.id, nil) // who has moved is let in there alone
			}
			if want, _ := m.lacking(); len(want) == 0 || !m.In() {
				continue
			}
			asking, cancel := context.WithTimeout(ctx, pullFor)
			learned, err := m.pull(asking)
			cancel()
			if err != nil && ctx.Err() == nil {
				a.cfg.Log.Error("epoch keys not kept", "mesh", m.id, "error", err)
			}
			if learned {
				m.log().Info("epoch keys learned", "mesh", m.id)
				a.cfg.Net.Changed(m.id, nil) // what waited for them goes on
			}
			if _, now := m.lacking(); now {
				next = tryAgain
			}
		}
		return next
	})
}
