package message

import (
	"context"
	"sync"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// hintPause is the shortest time between two hints to a session.
const hintPause = 5 * time.Second

// lookPause is how long a failed look at waiting mail is put off.
const lookPause = 10 * time.Second

// doors is what the goroutine that offers waiting mail has to look at.
type doors struct {
	told chan struct{}

	mu    sync.Mutex                     // guards what follows
	due   map[ident.MeshID]time.Duration // the age at which to look; 0: at once
	hints map[ident.PublicKey]hinted     // by session
}

// hinted is what a session was told of last.
type hinted struct {
	age time.Duration
	seq uint64 // the newest entry then
}

func newDoors() *doors {
	return &doors{
		told: make(chan struct{}, 1),
		due:  make(map[ident.MeshID]time.Duration), hints: make(map[ident.PublicKey]hinted),
	}
}

// knock has a mesh looked at soon.
func (d *doors) knock(mesh ident.MeshID) { d.at(mesh, 0) }

// at has a mesh looked at when the node has a certain age, or earlier.
func (d *doors) at(mesh ident.MeshID, age time.Duration) {
	d.mu.Lock()
	if old, ok := d.due[mesh]; !ok || age < old {
		d.due[mesh] = age
	}
	d.mu.Unlock()
	select {
	case d.told <- struct{}{}:
	default:
	}
}

// take gives the meshes to be looked at now, and the age of the next look.
func (d *doors) take(age time.Duration) (now []ident.MeshID, next time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for mesh, due := range d.due {
		switch {
		case due <= age:
			now = append(now, mesh)
			delete(d.due, mesh)
		case next == 0 || due < next:
			next = due
		}
	}
	return now, next
}

// mayHint tells whether a session may be given a hint about entries up to seq, or
// the age at which it may, or 0 if it knows.
func (d *doors) mayHint(session ident.PublicKey, seq uint64, age time.Duration) (bool, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, ok := d.hints[session]
	switch {
	case ok && seq <= last.seq:
		return false, 0
	case ok && age < last.age+hintPause:
		return false, last.age + hintPause
	}
	return true, 0
}

func (d *doors) wasHinted(session ident.PublicKey, seq uint64, age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hints[session] = hinted{age, seq}
}

// watchDoors offers what waits whenever a gate may have opened, until ctx ends.
func (f *Feature) watchDoors(ctx context.Context) error {
	if err := f.knockAll(); err != nil {
		return err
	}
	for {
		now, next := f.doors.take(f.age.now())
		for _, mesh := range now {
			if err := f.look(ctx, mesh); err != nil && ctx.Err() == nil {
				f.log.Error("waiting messages could not be offered", "mesh", mesh, "error", err)
				f.doors.at(mesh, f.age.now()+lookPause)
			}
		}
		if len(now) > 0 {
			continue
		}
		if next == 0 {
			next = f.age.now() + day
		}
		timer := time.NewTimer(next - f.age.now())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-f.doors.told:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// knockAll has every mesh with mail looked at: the node may have stopped between
// an arrival and the offer.
func (f *Feature) knockAll() error {
	return f.cfg.DB.View(func(tx *store.Tx) error {
		for _, mesh := range inbox.In(tx).Meshes() {
			f.doors.knock(mesh)
		}
		return nil
	})
}

// waiting is an entry that a session may be offered, or told of.
type waiting struct {
	entry inbox.Entry
	to    Self
}

// look offers what waits in a mesh to the sessions whose gates are open.
func (f *Feature) look(ctx context.Context, mesh ident.MeshID) error {
	member := f.cfg.Trust.Self(mesh)
	g := f.open(mesh, member)
	pushes, hints, err := f.find(g)
	if err != nil {
		return err
	}
	if g.later > 0 {
		f.doors.at(mesh, g.later)
	}
	if len(pushes) > 0 {
		err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			in := inbox.In(tx)
			for _, w := range pushes {
				if err := g.pushStill(tx, in, w); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, h := range hints {
		if err := f.hint(ctx, g, h); err != nil {
			return err
		}
	}
	return nil
}

// find looks for entries that a gate is open for: those to be pushed in the order
// of showing, and per session to be told of the newest one.
func (f *Feature) find(g *gate) (pushes []waiting, hints map[ident.PublicKey]waiting, err error) {
	hints = make(map[ident.PublicKey]waiting)
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		in := inbox.In(tx)
		addresses := []ident.PublicKey{g.member}
		for _, s := range g.sessions {
			addresses = append(addresses, s.Session)
		}
		for _, address := range addresses {
			show, later, err := in.Showable(g.mesh, address, g.age)
			if err != nil {
				return err
			}
			g.wait(later)
			for _, e := range show {
				to, d := g.choose(e)
				switch {
				case d == delivery.Push:
					pushes = append(pushes, waiting{e, to})
				case d == delivery.Hint && e.Seq >= hints[to.Session].entry.Seq:
					hints[to.Session] = waiting{e, to}
				}
			}
		}
		return nil
	})
	return pushes, hints, err
}

// pushStill pushes an entry if it still waits.
func (g *gate) pushStill(tx *store.Tx, in inbox.Box, w waiting) error {
	e, ok, err := in.Get(w.entry.Key)
	if err != nil || !ok || e.State != delivery.Waiting || e.Size == 0 {
		return err
	}
	m, err := in.Text(e)
	if err != nil {
		return err
	}
	return g.push(tx, in, e, m, w.to)
}

// hint tells a session that mail waits, unless it knows or was told just now.
func (f *Feature) hint(ctx context.Context, g *gate, w waiting) error {
	ok, later := f.doors.mayHint(w.to.Session, w.entry.Seq, g.age)
	if later > 0 {
		f.doors.at(g.mesh, later)
	}
	if !ok {
		return nil
	}
	unread, _, err := f.Counts(w.to)
	if err != nil {
		return err
	}
	err = f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return announce(tx, w.to, op.TopicHint, op.Hint{FromName: w.entry.Name, Unread: unread})
	})
	if err != nil {
		return err
	}
	f.doors.wasHinted(w.to.Session, w.entry.Seq, g.age)
	return nil
}
