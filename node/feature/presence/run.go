package presence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence/roster"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

const (
	step = 5 * time.Second // how often what is due is looked for
	// paused is how late a step is after a sleep of this machine.
	paused = 30 * time.Second
	// publishEvery is how often others are told of new statistics at most.
	publishEvery = time.Minute
	// countsEvery is how often statistics are written when only time has passed.
	countsEvery = time.Hour
)

// Run sends beacons, closes overdue sessions, lets statuses decay and keeps cards
// until ctx ends. It says no goodbye: a node that restarts comes back within its
// lease.
func (f *Feature) Run(ctx context.Context) error {
	for _, m := range f.cfg.Meshes.List() {
		f.reloadCards(m.ID)
	}
	tick := time.NewTicker(step)
	defer tick.Stop()
	now := f.cfg.Mono()
	r := rounds{
		last: now, wall: f.cfg.Now(), swept: now - status.Sweep, published: now, counted: now,
		sent: make(map[ident.MeshID]time.Duration),
	}
	for {
		f.round(ctx, &r)
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), step)
			defer cancel()
			f.saveCounts(end)
			return context.Cause(ctx)
		case <-tick.C:
		case <-f.poke:
			clear(r.sent)
		}
	}
}

// rounds is what Run remembers from step to step, by the monotonic clock.
type rounds struct {
	wall                            time.Time // of the last step
	last, swept, published, counted time.Duration
	sent                            map[ident.MeshID]time.Duration
}

// round does what is due now.
func (f *Feature) round(ctx context.Context, r *rounds) {
	now, wall := f.cfg.Mono(), f.cfg.Now()
	// On some systems the monotonic clock stands still while the machine sleeps.
	if pause := now - r.last; pause > step+paused || wall.Sub(r.wall)-pause > paused {
		f.resume(now, pause)
	}
	r.last, r.wall = now, wall
	f.closeOverdue()
	if now-r.swept >= status.Sweep {
		r.swept = now
		f.sweep()
	}
	if now-r.published >= publishEvery {
		r.published = now
		if f.publish() || now-r.counted >= countsEvery {
			r.counted = now
			f.saveCounts(ctx)
		}
	}
	for _, m := range f.cfg.Meshes.List() {
		f.watch(m)
		interval, _ := roster.Pace(f.nodes(m.ID))
		if at, sent := r.sent[m.ID]; !sent || now-at >= interval {
			r.sent[m.ID] = now
			f.shout(ctx, m)
		}
	}
	f.fileCards(ctx)
}

// nodes counts the nodes of a mesh that are online, with this one.
func (f *Feature) nodes(mesh ident.MeshID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.online(mesh)
}

// online counts them. The caller holds f.mu.
func (f *Feature) online(mesh ident.MeshID) int {
	n, mono := 1, f.cfg.Mono()
	for _, h := range f.roster(mesh).Homes {
		if h.State(mono) == roster.Online {
			n++
		}
	}
	return n
}

// resume starts all leases anew after this machine slept: its silence says nothing
// about the others. What happened meanwhile is no news.
func (f *Feature) resume(now, pause time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rosters {
		r.Restart(now, pause)
	}
	for _, w := range f.watches {
		w.Begin(f.cfg.Now(), now)
	}
	for _, l := range f.sessions {
		if l.follow == 0 && !l.Closed {
			l.deadline = max(l.deadline, now+roster.Grace) // its agent slept, too
		}
	}
}

// shout sends a beacon in one mesh.
func (f *Feature) shout(ctx context.Context, m Mesh) {
	raw, err := f.beacon(m)
	if errors.Is(err, ErrUnknownMesh) {
		return
	}
	if err != nil {
		f.cfg.Log.Warn("beacon not made", "mesh", m.ID, "error", err)
		return
	}
	f.cfg.Air.Shout(ctx, m.ID, raw)
}

// publish has the next beacons carry the statistics as they are now. It tells whether
// more than time has passed.
func (f *Feature) publish() (news bool) {
	now := f.cfg.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.sessions {
		was := l.told
		l.told = l.sum(now)
		was.Up = l.told.Up
		news = news || was != l.told
	}
	return news
}

// saveCounts writes the statistics of all sessions.
func (f *Feature) saveCounts(ctx context.Context) {
	now := f.cfg.Now()
	sums := make(map[string]roster.Counts)
	f.mu.Lock()
	for id, l := range f.sessions {
		sums[id] = l.sum(now)
	}
	f.mu.Unlock()
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b := tx.Bucket(bucketCounts)
		for id, c := range sums {
			if err := store.PutJSON(b, []byte(id), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.cfg.Log.Warn("statistics not saved", "error", err)
	}
}

// loadCounts reads what saveCounts wrote. It comes after the sessions.
func (f *Feature) loadCounts(tx *store.Tx) error {
	var bad error
	tx.Bucket(bucketCounts).Ascend(nil, func(k, v []byte) bool {
		l, ok := f.sessions[string(k)]
		if !ok {
			return true
		}
		if err := json.Unmarshal(v, &l.counts); err != nil {
			bad = fmt.Errorf("statistics of %s: %w", k, err)
			return false
		}
		l.told = l.counts
		return true
	})
	return bad
}
