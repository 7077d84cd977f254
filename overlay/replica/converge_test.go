package replica

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// step does one thing at random.
func (w *world) step() error {
	w.now = w.now.Add(time.Duration(w.rnd.Int64N(int64(20 * time.Minute))))
	p, allowed := w.any(), false
	var err error
	switch k := w.rnd.IntN(100); {
	case k < 40:
		err = w.write(p)
	case k < 58:
		err = w.meet(p, -1, -1)
	case k < 63:
		err = w.meet(p, w.rnd.IntN(4000), -1)
	case k < 68:
		err = w.meet(p, -1, w.rnd.IntN(4000))
	case k < 74:
		err = w.powerCut(p)
	case k < 84:
		err = w.gossip()
	case k < 86:
		w.logf("%d restarts", p.id)
		w.start(p)
	case k < 88:
		p.saved, p.savedHeard = p.disk.copyOf(), p.heard
		w.logf("%d is saved", p.id)
	case k < 90:
		allowed = true
		err = w.restore(p)
	case k < 92:
		err = w.adopt(p)
	case k < 94:
		err = w.trim(p)
	case k < 95:
		if len(w.peers) < 8 {
			w.logf("%d joins", w.join().id)
		}
	case k < 96:
		who := w.any()
		if who != p && w.left() > 2 && w.rnd.IntN(3) == 0 {
			allowed = true
			err = w.remove(p, who)
		}
	case k < 97 && w.rnd.IntN(3) == 0:
		if len(w.peers) > 3 && w.left() > 2 {
			allowed, p.out = true, true
			w.logf("%d is never seen again", p.id)
		}
	case k < 97:
		p.skew = time.Duration(w.rnd.Int64N(int64(8*time.Hour))) - 4*time.Hour
	case k < 99:
		for _, q := range w.peers {
			q.group = w.rnd.IntN(2)
		}
	default:
		err = p.r.Sweep(bg)
	}
	return errors.Join(err, w.lost(allowed))
}

// meet lets p exchange with somebody it reaches.
func (w *world) meet(p *peer, there, back int) error {
	q := w.any()
	if q == p || q.group != p.group {
		return nil
	}
	_, _, err := w.exchange(p, q, there, back)
	return err
}

// powerCut has the power go while p exchanges, at one of its commits.
func (w *world) powerCut(p *peer) error {
	p.disk.cutIn, p.disk.cutAfter = w.rnd.IntN(3), w.rnd.IntN(2) == 0
	heard := p.heard
	err := w.meet(p, -1, -1)
	if errors.Is(err, errPower) {
		err = nil
	}
	p.heard = max(heard, p.heard)
	w.logf("%d starts after a power cut", p.id)
	w.start(p)
	return errors.Join(err, p.r.Restand(bg))
}

// restore puts an old copy of the disk in place, or none.
func (w *world) restore(p *peer) error {
	switch {
	case w.rnd.IntN(4) == 0:
		p.disk, p.inc = w.disk(), uint64(w.now.Unix())
		w.logf("%d loses its disk", p.id)
	case p.saved != nil:
		p.disk = p.saved.copyOf()
		w.logf("%d is restored", p.id)
	default:
		return nil
	}
	w.start(p)
	return p.r.Restand(bg)
}

// gossip delivers a record to some nodes, late, twice or not at all.
func (w *world) gossip() error {
	if len(w.news) == 0 {
		return nil
	}
	i := w.rnd.IntN(len(w.news))
	raw := w.news[i]
	if w.rnd.IntN(2) == 0 {
		w.news = slices.Delete(w.news, i, i+1)
	}
	for _, p := range w.peers {
		if p.out || w.rnd.IntN(3) == 0 {
			continue
		}
		v, want, err := p.r.News(bg, raw)
		if err != nil {
			return err
		}
		if v == Reject {
			return fmt.Errorf("%d refuses what another wrote", p.id)
		}
		if want && w.rnd.IntN(3) == 0 {
			if err := w.meet(p, -1, -1); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle connects everybody until nothing changes any more.
func (w *world) settle() error {
	for round := range 12 {
		busy := false
		for i, a := range w.peers {
			for _, b := range w.peers[i+1:] {
				x, y, err := w.exchange(a, b, -1, -1)
				if err != nil {
					return err
				}
				busy = busy || x.Taken+y.Taken > 0
			}
		}
		for _, p := range w.peers {
			if !p.out && w.pending(p) {
				busy = true
				if err := w.adopt(p); err != nil {
					return err
				}
			}
		}
		if err := w.lost(false); err != nil {
			return err
		}
		if !busy && round > 0 {
			return nil
		}
	}
	return errors.New("still not settled after 12 rounds")
}

// content is all that is live on a node, as text. With check it also looks whether the
// node's own books are right.
func content(p *peer, check bool) (string, error) {
	var b strings.Builder
	err := p.disk.View(func(tx Tx) error {
		v, err := p.r.vector(tx)
		if err != nil {
			return err
		}
		for _, c := range v {
			fmt.Fprintf(&b, "log %x %d to %d\n", c.log.Author[:4], c.log.Inc, c.m)
			var sum Sum
			count, top := uint64(0), uint64(0)
			err := eachRecord(tx, c.log, 0, func(r Record) bool {
				fmt.Fprintf(&b, "  %d slot %d %x\n", r.N, r.Slot[0], r.hash[:4])
				sum, count, top = sum.plus(r.hash), count+1, r.N
				if check && numberAt(tx, r.Slot, r.Log) != r.N {
					err = fmt.Errorf("%d: the index of slots does not name record %d", p.id, r.N)
				}
				return true
			})
			s, err2 := readState(tx, c.log)
			if err := firstError(err, err2); err != nil {
				return err
			}
			if !check {
				continue
			}
			if s.sum != sum || s.count != count || s.m != top {
				return fmt.Errorf("%d: log %x: state %d, %d records; held %d, %d records", p.id, c.log.Author[:4], s.m, s.count, top, count)
			}
		}
		return nil
	})
	return b.String(), err
}

// equal checks that all nodes hold the same, and of each author's writes the latest
// that was held anywhere.
func (w *world) equal() error {
	var first string
	var one *peer
	for _, p := range w.peers {
		if p.out {
			continue
		}
		text, err := content(p, w.setup == nil)
		if err != nil {
			return err
		}
		if one == nil {
			one, first = p, text
		}
		if text != first {
			return fmt.Errorf("%d holds\n%sand %d holds\n%s", one.id, first, p.id, text)
		}
	}
	return w.shown(one)
}

// shown checks that the latest write of each author and slot is live, not only kept.
func (w *world) shown(p *peer) error {
	return p.disk.View(func(tx Tx) error {
		for author, slots := range w.best {
			if w.of(author).out {
				continue // only an author itself makes live what is kept
			}
			for slot, c := range slots {
				all, err := p.r.Slot(tx, slot)
				if err != nil {
					return err
				}
				live := slices.ContainsFunc(all, func(r Record) bool { return r.Log.Author == author && r.Clock >= c })
				if !live && w.freed[author][slot] < c {
					return fmt.Errorf("the write of %x to %d at %d is kept and not live", author[:4], slot[0], c)
				}
			}
		}
		return nil
	})
}

func (w *world) of(author ident.PublicKey) *peer {
	i := slices.IndexFunc(w.peers, func(p *peer) bool { return p.key.Public() == author })
	return w.peers[i]
}

// left is how many nodes are there.
func (w *world) left() (n int) {
	for _, p := range w.peers {
		if !p.out {
			n++
		}
	}
	return n
}

func runWorld(seed uint64, setup func(*memDisk)) (*world, error) {
	w := newWorld(seed, setup)
	for range 80 + w.rnd.IntN(80) {
		if err := w.step(); err != nil {
			return w, err
		}
	}
	w.logf("all are connected")
	for _, p := range w.peers {
		if !p.out {
			w.start(p)
			if err := w.hear(p, len(w.events)); err != nil {
				return w, err
			}
		}
	}
	if err := w.lost(true); err != nil {
		return w, err
	}
	return w, errors.Join(w.settle(), w.equal())
}

// TestNodesConverge is the promise of this package: whatever happened, nodes that meet
// end with equal records, and no honest author's is lost while somebody has it.
// CLAUDEMESH_SEED=N replays one run, CLAUDEMESH_LONG=1 makes 2,000.
func TestNodesConverge(t *testing.T) {
	first, runs := uint64(1), 100
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		runs = 2000
	}
	if s := os.Getenv("CLAUDEMESH_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, runs = n, 1
	}
	for part := range 4 {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			for seed := first + uint64(part); seed < first+uint64(runs); seed += 4 {
				if w, err := runWorld(seed, nil); err != nil {
					t.Fatalf("CLAUDEMESH_SEED=%d: %v\n%s", seed, err, strings.Join(w.trace, "\n"))
				}
			}
		})
	}
}

// Broken disks must make the test above fail, or it would prove nothing.
func TestConvergenceTestFindsBrokenReplicas(t *testing.T) {
	controls := map[string]func(*memDisk){
		"claims before its commit": func(d *memDisk) { d.claimsFirst = true },
		"keeps no evidence":        func(d *memDisk) { d.forgets = true },
	}
	for name, setup := range controls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 100; seed++ {
				if _, err := runWorld(seed, setup); err != nil {
					t.Logf("found with seed %d: %.200s", seed, err)
					return
				}
			}
			t.Error("100 runs found nothing wrong")
		})
	}
}
