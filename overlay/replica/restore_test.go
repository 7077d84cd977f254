package replica

import (
	"testing"
	"time"
)

func (p *node) adopt(t *testing.T) int {
	t.Helper()
	n, err := p.Adopt(bg, p.key, func(old Record, _ *Header) ([]byte, error) { return old.Sealed(), nil })
	must(t, err)
	return n
}

func (p *node) pending(t *testing.T) (is bool) {
	t.Helper()
	must(t, p.disk.View(func(tx Tx) (err error) { is, err = p.Pending(tx); return err }))
	return is
}

// shows is the clock of the latest record of an author in a slot.
func (p *node) shows(t *testing.T, author *node, i int) (c Clock) {
	t.Helper()
	must(t, p.disk.View(func(tx Tx) error {
		all, err := p.Slot(tx, slotOf(i))
		for _, r := range all {
			if r.Log.Author == author.key.Public() {
				c = max(c, r.Clock)
			}
		}
		return err
	}))
	return c
}

// An author restored from an old copy writes on. What it wrote before and after is
// there at the end, in a new incarnation, whoever meets whom first.
func TestRestoredAuthorLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name          string
		after         int  // writes after the restore
		compareFirst  bool // it meets the others before it writes
		otherMeetsNew bool // one that has not seen the end of the old log hears of the new first
	}{
		{"it compares, then writes", 2, true, false},
		{"it writes less than before", 1, false, false},
		{"it writes as much as before", 3, false, false},
		{"it writes more than before", 5, false, false},
		{"another meets the new log first", 5, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ps, s := nodes(t, 3)
			a, b, d := ps[0], ps[1], ps[2]
			a.write(t, 0, false)
			a.write(t, 1, false)
			between(t, b.Replica, a.Replica)
			between(t, d.Replica, a.Replica)
			saved := a.disk.copyOf()
			var last [8]Clock
			for i := range 3 {
				last[i+2] = a.write(t, i+2, false).Clock
			}
			between(t, b.Replica, a.Replica)

			told := 0
			a.disk = saved
			a.open(t, s)
			a.cfg.Foreign = func() { told++ }
			a.now = a.now.Add(time.Hour)
			if c.compareFirst {
				between(t, a.Replica, b.Replica)
				a.adopt(t)
			}
			for i := range c.after {
				last[i] = a.write(t, i, false).Clock
			}
			if c.otherMeetsNew {
				between(t, d.Replica, a.Replica)
				between(t, b.Replica, d.Replica)
			}
			for range 3 {
				between(t, b.Replica, a.Replica)
				between(t, a.Replica, d.Replica)
				a.adopt(t)
			}
			between(t, b.Replica, a.Replica)
			between(t, d.Replica, a.Replica)
			alike(t, a, b, d)
			for i, want := range last {
				if want > 0 && b.shows(t, a, i) != want {
					t.Errorf("slot %d shows %d, want %d", i, b.shows(t, a, i), want)
				}
			}
			if c.after != 5 && told == 0 {
				t.Error("the author was not told")
			}
			if a.pending(t) {
				t.Error("something is still to be adopted")
			}
		})
	}
}

// An author that lost its disk, not its keys, gets its records from the others.
func TestAuthorThatLostItsDisk(t *testing.T) {
	ps, s := nodes(t, 2)
	a, b := ps[0], ps[1]
	var clocks []Clock
	for i := range 3 {
		clocks = append(clocks, a.write(t, i, false).Clock)
	}
	between(t, b.Replica, a.Replica)
	a.disk = newMemDisk()
	a.open(t, s) // with the same incarnation, as one that does not know of its loss
	clocks[1] = a.write(t, 1, false).Clock
	between(t, b.Replica, a.Replica)
	if !a.pending(t) {
		t.Fatal("the author did not notice")
	}
	a.adopt(t)
	between(t, b.Replica, a.Replica)
	alike(t, a, b)
	for i, c := range clocks {
		if got := b.shows(t, a, i); got != c {
			t.Errorf("slot %d shows %d, want %d", i, got, c)
		}
	}
}

// What an author decides to leave out is gone, and nobody brings it back.
func TestAdoptLeavesOut(t *testing.T) {
	ps, s := nodes(t, 2)
	a, b := ps[0], ps[1]
	a.write(t, 0, false)
	a.write(t, 1, false)
	between(t, b.Replica, a.Replica)
	a.disk = newMemDisk()
	a.open(t, s)
	between(t, b.Replica, a.Replica)
	_, err := a.Adopt(bg, a.key, func(old Record, _ *Header) ([]byte, error) {
		if old.Slot == slotOf(0) {
			return nil, nil
		}
		return old.Sealed(), nil
	})
	must(t, err)
	between(t, b.Replica, a.Replica)
	alike(t, a, b)
	if a.shows(t, a, 0) != 0 || b.shows(t, a, 0) != 0 || b.shows(t, a, 1) == 0 {
		t.Error("what was left out is live, or what was kept is not")
	}
	b.now = b.now.Add(31 * 24 * time.Hour)
	must(t, b.Sweep(bg))
	if n := len(b.disk.tables[tableOld].keys); n != 0 {
		t.Errorf("%d records of evidence after 31 days", n)
	}
}

func TestNews(t *testing.T) {
	ps, _ := nodes(t, 3)
	a, b := ps[0], ps[1]
	r1 := a.write(t, 0, false)
	r2 := a.write(t, 1, false)
	r3 := a.write(t, 0, false)
	fork, err := Make(a.key, Header{Log: r1.Log, N: 1, Slot: slotOf(5)}, nil)
	must(t, err)
	broken := append([]byte{}, r2.Raw()...)
	broken[20] ^= 1
	for _, c := range []struct {
		name string
		raw  []byte
		v    Verdict
		want bool
	}{
		{"nonsense", []byte("nonsense"), Reject, false},
		{"a broken signature", broken, Reject, false},
		{"one too early", r2.Raw(), Ignore, true},
		{"the next", r1.Raw(), Accept, false},
		{"the same again", r1.Raw(), Ignore, false},
		{"another of the same number", fork.Raw(), Twice, true},
		{"the one that was early", r2.Raw(), Accept, false},
		{"the last", r3.Raw(), Accept, false},
		{"one that was displaced", r1.Raw(), Ignore, false},
	} {
		v, want, err := b.News(bg, c.raw)
		if v != c.v || want != c.want || err != nil {
			t.Errorf("%s: got %v, %v, %v; want %v, %v", c.name, v, want, err, c.v, c.want)
		}
	}
	alike(t, a, b)
	ahead, err := Make(a.key, Header{Log: r1.Log, N: 9, Slot: slotOf(5)}, nil)
	must(t, err)
	if v, want, _ := a.News(bg, ahead.Raw()); v != Accept || !want {
		t.Errorf("news of the own log that was not written here: %v %v", v, want)
	}
}
