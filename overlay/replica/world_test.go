package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

var bg = context.Background()

// event is what an admin log says of a member: it came, or it went and this is kept.
type event struct {
	author ident.PublicKey
	gone   bool
	list   []byte
}

// peer is a node of the world.
type peer struct {
	id         int
	key        ident.PrivateKey
	disk       *memDisk
	r          *Replica
	inc        uint64
	skew       time.Duration
	group      int
	out        bool
	heard      int // events of the admin log it knows
	saved      *memDisk
	savedHeard int
}

// standings is what a peer's admin log says.
type standings map[ident.PublicKey]Standing

func (s standings) Standing(k ident.PublicKey) Standing { return s[k] }

// world is some nodes and what can happen to them, all of it decided by a seed.
type world struct {
	rnd    *rand.Rand
	now    time.Time
	peers  []*peer
	events []event
	news   [][]byte
	best   map[ident.PublicKey]map[Slot]Clock // latest write that some node holds
	freed  map[ident.PublicKey]map[Slot]Clock // up to which the author trimmed
	heads  map[string]Header
	trace  []string
	setup  func(*memDisk)
}

func newWorld(seed uint64, setup func(*memDisk)) *world {
	w := &world{
		rnd: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1_800_000_000, 0), setup: setup,
		best: map[ident.PublicKey]map[Slot]Clock{}, freed: map[ident.PublicKey]map[Slot]Clock{}, heads: map[string]Header{},
	}
	for range 2 + w.rnd.IntN(4) {
		w.join()
	}
	return w
}

func (w *world) disk() *memDisk {
	d := newMemDisk()
	if w.setup != nil {
		w.setup(d)
	}
	return d
}

func (w *world) join() *peer {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], w.rnd.Uint64())
	p := &peer{id: len(w.peers), key: ident.PrivateKeyFromSeed(seed), disk: w.disk(), inc: uint64(w.now.Unix())}
	p.skew = time.Duration(w.rnd.Int64N(int64(8*time.Hour))) - 4*time.Hour
	w.peers = append(w.peers, p)
	w.events = append(w.events, event{author: p.key.Public()})
	p.heard = len(w.events)
	w.start(p)
	return p
}

// start begins the process on the peer's disk.
func (w *world) start(p *peer) {
	p.disk.cutIn, p.disk.cutAfter = -1, false
	r, err := New(Config{
		Disk: p.disk, Authors: w.standings(p.heard), Self: p.key.Public(), Inc: p.inc,
		Now: func() time.Time { return w.now.Add(p.skew) },
	})
	if err != nil {
		panic(err)
	}
	p.r = r
}

func (w *world) standings(n int) standings {
	s := standings{}
	lists := map[ident.PublicKey][][]byte{}
	for _, e := range w.events[:n] {
		if e.gone {
			lists[e.author] = append(lists[e.author], e.list)
			s[e.author] = Standing{Keep: NewKeep(lists[e.author]...)}
		} else {
			s[e.author] = Standing{Member: true}
		}
	}
	return s
}

// hear brings a peer's admin log up to n events.
func (w *world) hear(p *peer, n int) error {
	if n <= p.heard {
		return nil
	}
	p.heard = n
	w.start(p)
	return p.r.Restand(bg)
}

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) any() *peer {
	var in []*peer
	for _, p := range w.peers {
		if !p.out {
			in = append(in, p)
		}
	}
	return in[w.rnd.IntN(len(in))]
}

func slotOf(i int) (s Slot) {
	s[0], s[1], s[31] = byte(i+1), byte((i+1)>>8), 1
	return s
}

// write writes to one of eight slots.
func (w *world) write(p *peer) error {
	slot := slotOf(w.rnd.IntN(8))
	value := binary.BigEndian.AppendUint64(nil, w.rnd.Uint64())
	del := w.rnd.IntN(8) == 0
	var rec Record
	err := p.disk.Update(bg, func(tx Tx) error {
		var last, beaten Clock
		if err := p.r.Own(tx, 0, func(r Record) bool { last = max(last, r.Clock); return true }); err != nil {
			return err
		}
		at, err := p.r.Slot(tx, slot)
		if err != nil {
			return err
		}
		for _, r := range at {
			if r.Clock.Time().Before(p.r.cfg.Now().Add(time.Minute)) {
				beaten = max(beaten, r.Clock)
			}
		}
		rec, err = p.r.Append(tx, p.key, Write{Slot: slot, Clock: NextClock(p.r.cfg.Now(), last, beaten), Deleted: del,
			Seal: func(Header) ([]byte, error) { return value, nil }})
		return err
	})
	if err == nil {
		w.logf("%d writes %d of %d to %d", p.id, rec.N, rec.Log.Inc%1000, slot[0])
		w.news = append(w.news, rec.Raw())
	}
	return err
}

// exchange lets two nodes exchange. cutAt bytes in one direction it breaks, or the
// power of one of them goes; negative: not.
func (w *world) exchange(a, b *peer, there, back int) (Result, Result, error) {
	n := max(a.heard, b.heard)
	if err := firstError(w.hear(a, n), w.hear(b, n)); err != nil {
		return Result{}, Result{}, err
	}
	if a.out || b.out || w.isGone(a, n) || w.isGone(b, n) {
		return Result{}, Result{}, nil
	}
	x, y := streams(there, back)
	type answer struct {
		res Result
		err error
	}
	done := make(chan answer)
	go func() {
		res, err := b.r.Exchange(bg, wire.NewConn(y), false)
		if err != nil {
			y.shut()
		}
		done <- answer{res, err}
	}()
	res, err := a.r.Exchange(bg, wire.NewConn(x), true)
	if err != nil {
		x.shut()
	}
	other := <-done
	w.logf("%d and %d exchange (%d, %d): %d and %d taken, %v, %v", a.id, b.id, there, back, res.Taken, other.res.Taken, err, other.err)
	if err = firstError(err, other.err); errors.Is(err, errCut) || errors.Is(err, errPower) {
		err = nil
	}
	return res, other.res, err
}

func (w *world) isGone(p *peer, n int) bool {
	return slices.ContainsFunc(w.events[:n], func(e event) bool { return e.gone && e.author == p.key.Public() })
}

func (w *world) adopt(p *peer) error {
	n, err := p.r.Adopt(bg, p.key, func(old Record, _ *Header) ([]byte, error) { return old.Sealed(), nil })
	w.logf("%d adopts %d", p.id, n)
	return err
}

func (w *world) pending(p *peer) (is bool) {
	_ = p.disk.View(func(tx Tx) (err error) {
		is, err = p.r.Pending(tx)
		return err
	})
	return is
}

// trim has an author trim what others beat, and what it deleted.
func (w *world) trim(p *peer) error {
	return p.disk.Update(bg, func(tx Tx) error {
		var numbers []uint64
		var due []Record
		err := p.r.Own(tx, 0, func(r Record) bool {
			all, _ := p.r.Slot(tx, r.Slot)
			beaten := slices.ContainsFunc(all, func(o Record) bool { return o.Log.Author != r.Log.Author && o.Clock > r.Clock })
			if (beaten || r.Deleted) && w.rnd.IntN(2) == 0 {
				numbers, due = append(numbers, r.N), append(due, r)
			}
			return true
		})
		if err != nil || len(due) == 0 {
			return err
		}
		w.logf("%d trims %v", p.id, numbers)
		for _, r := range due {
			m := w.freed[r.Log.Author]
			if m == nil {
				m = map[Slot]Clock{}
				w.freed[r.Log.Author] = m
			}
			m[r.Slot] = max(m[r.Slot], r.Clock)
		}
		return p.r.Trim(tx, p.key, ClockAt(p.r.cfg.Now()), numbers)
	})
}

// remove takes a member out; what the remover holds is kept.
func (w *world) remove(by, who *peer) error {
	var list []byte
	err := by.disk.View(func(tx Tx) (err error) {
		list, err = by.r.KeepList(tx, who.key.Public())
		return err
	})
	if err != nil {
		return err
	}
	w.logf("%d removes %d keeping %d", by.id, who.id, len(list)/keepSize)
	w.events = append(w.events, event{author: who.key.Public(), gone: true, list: list})
	who.out = true
	return w.hear(by, len(w.events))
}

// held is the latest write of each author and slot that some node holds.
func (w *world) held() map[ident.PublicKey]map[Slot]Clock {
	out := map[ident.PublicKey]map[Slot]Clock{}
	see := func(raw []byte) {
		h, ok := w.heads[string(raw)]
		if !ok {
			r, err := stored(raw)
			if err != nil {
				panic(err)
			}
			h = r.Header
			w.heads[string(raw)] = h
		}
		if Reserved(h.Slot) {
			return
		}
		m := out[h.Log.Author]
		if m == nil {
			m = map[Slot]Clock{}
			out[h.Log.Author] = m
		}
		m[h.Slot] = max(m[h.Slot], h.Clock)
	}
	for _, p := range w.peers {
		if p.out {
			continue
		}
		for _, tab := range []string{tableRec, tableOld} {
			if t := p.disk.tables[tab]; t != nil {
				for _, v := range t.vals {
					if tab == tableOld {
						v = v[8:]
					}
					see(v)
				}
			}
		}
	}
	return out
}

// lost says what was held before and is not any more, though its author is a member
// and did not trim it. Whatever is held becomes what must be held from now on.
func (w *world) lost(allowed bool) error {
	now := w.held()
	defer func() { w.best = now }()
	if allowed {
		return nil
	}
	for _, p := range w.peers {
		author := p.key.Public()
		if w.isGone(p, len(w.events)) {
			continue
		}
		for slot, c := range w.best[author] {
			if now[author][slot] < c && w.freed[author][slot] < c {
				return fmt.Errorf("the write of %d to %d at %d is lost, %d is left", p.id, slot[0], c, now[author][slot])
			}
		}
	}
	return nil
}
