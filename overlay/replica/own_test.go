package replica

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// node is a replica on memory for tests of single cases.
type node struct {
	*Replica
	key  ident.PrivateKey
	disk *memDisk
	now  time.Time
}

func nodes(t *testing.T, n int) ([]*node, standings) {
	t.Helper()
	keys, s := authors(n)
	var out []*node
	for _, k := range keys {
		p := &node{key: k, disk: newMemDisk(), now: time.Unix(1_800_000_000, 0)}
		p.open(t, s)
		out = append(out, p)
	}
	return out, s
}

func (p *node) open(t *testing.T, s standings) {
	t.Helper()
	r, err := New(Config{Disk: p.disk, Authors: s, Self: p.key.Public(), Inc: 1, Now: func() time.Time { return p.now }})
	must(t, err)
	p.Replica = r
}

// write writes to slot i and gives the record.
func (p *node) write(t *testing.T, i int, del bool) (rec Record) {
	t.Helper()
	p.now = p.now.Add(time.Second)
	must(t, p.disk.Update(bg, func(tx Tx) (err error) {
		rec, err = p.Append(tx, p.key, Write{Slot: slotOf(i), Clock: ClockAt(p.now), Deleted: del, Seal: func(h Header) ([]byte, error) {
			return fmt.Appendf(nil, "%d at %d", i, h.Clock), nil
		}})
		return err
	}))
	return rec
}

// live is what is live, in text.
func (p *node) live(t *testing.T) string {
	t.Helper()
	text, err := content(&peer{r: p.Replica, disk: p.disk}, true)
	must(t, err)
	return text
}

func (p *node) count(t *testing.T, l Log) (n int) {
	t.Helper()
	must(t, p.disk.View(func(tx Tx) error {
		return eachRecord(tx, l, 0, func(Record) bool { n++; return true })
	}))
	return n
}

func alike(t *testing.T, ps ...*node) {
	t.Helper()
	first := ps[0].live(t)
	for i, p := range ps[1:] {
		if got := p.live(t); got != first {
			t.Errorf("node 0 holds\n%sand node %d holds\n%s", first, i+1, got)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	ps, _ := nodes(t, 2)
	p := ps[0]
	seal := func(n int, err error) func(Header) ([]byte, error) {
		return func(Header) ([]byte, error) { return make([]byte, n), err }
	}
	own := errors.New("no key")
	for _, c := range []struct {
		name string
		key  ident.PrivateKey
		w    Write
		want error
	}{
		{"a reserved slot", p.key, Write{Slot: slotTrim, Seal: seal(0, nil)}, ErrReserved},
		{"another's key", ps[1].key, Write{Seal: seal(0, nil)}, ErrRecord},
		{"too much", p.key, Write{Seal: seal(MaxCipher+1, nil)}, ErrTooLarge},
		{"what Seal says", p.key, Write{Seal: seal(0, own)}, own},
	} {
		err := p.disk.Update(bg, func(tx Tx) error {
			_, err := p.Append(tx, c.key, c.w)
			return err
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
		}
	}
	if text := p.live(t); text != "" {
		t.Errorf("something was written:\n%s", text)
	}
}

// A key written 1,000,000 times costs one record per author (4,000 times here, all of
// them with CLAUDEMESH_LONG=1), and a newcomer gets that one.
func TestAKeyWrittenOftenCostsOneRecord(t *testing.T) {
	times := 4_000
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		times = 1_000_000
	}
	ps, _ := nodes(t, 3)
	for _, p := range ps[:2] {
		for range times / 2 {
			p.write(t, 0, false)
		}
	}
	between(t, ps[0].Replica, ps[1].Replica)
	res, _ := between(t, ps[2].Replica, ps[0].Replica)
	if res.Received != 2 || len(ps[2].disk.tables[tableRec].keys) != 2 || len(ps[0].disk.tables[tableRec].keys) != 2 {
		t.Errorf("%d records came, %d are held", res.Received, len(ps[0].disk.tables[tableRec].keys))
	}
	alike(t, ps...)
}

func TestChangedNamesEachSlotOnce(t *testing.T) {
	ps, s := nodes(t, 2)
	for i := range 3 {
		ps[0].write(t, i, false)
		ps[0].write(t, i, false)
	}
	seen := map[Slot]int{}
	calls := 0
	r, err := New(Config{Disk: ps[1].disk, Authors: s, Self: ps[1].key.Public(), Changed: func(tx Tx, slots []Slot) error {
		calls++
		for _, slot := range slots {
			seen[slot]++
			if all, err := ps[1].Slot(tx, slot); err != nil || len(all) != 1 {
				t.Errorf("%d records at a changed slot, %v", len(all), err)
			}
		}
		return nil
	}})
	must(t, err)
	between(t, r, ps[0].Replica)
	if calls != 1 || len(seen) != 3 || seen[slotOf(1)] != 1 {
		t.Errorf("%d calls, %v", calls, seen)
	}
	var slots []Slot
	must(t, ps[1].disk.View(func(tx Tx) error {
		r.Slots(tx, slotOf(1), func(s Slot) bool { slots = append(slots, s); return true })
		return nil
	}))
	if len(slots) != 2 || slots[0] != slotOf(1) {
		t.Errorf("slots from the second on: %v", slots)
	}
}

func TestTrimReachesEverybody(t *testing.T) {
	ps, _ := nodes(t, 3)
	a, b, c := ps[0], ps[1], ps[2]
	for i := range 4 {
		a.write(t, i, i == 3)
	}
	between(t, b.Replica, a.Replica)
	trim := func(numbers ...uint64) {
		must(t, a.disk.Update(bg, func(tx Tx) error { return a.Trim(tx, a.key, ClockAt(a.now), numbers) }))
	}
	trim(1, 2, 2, 77)
	res, _ := between(t, b.Replica, a.Replica)
	if res.Received != 1 {
		t.Errorf("%d records came for a trim", res.Received)
	}
	alike(t, a, b)
	// The first of two trims that a node missed is repaired by a list.
	trim(3)
	trim(4)
	between(t, b.Replica, a.Replica)
	between(t, c.Replica, b.Replica)
	alike(t, a, b, c)
	if n := b.count(t, Log{a.key.Public(), 1}); n != 1 {
		t.Errorf("%d records are left beside the trim", n-1)
	}
	pending := true
	must(t, a.disk.View(func(tx Tx) (err error) { pending, err = a.Pending(tx); return err }))
	if pending {
		t.Error("the author takes what it trimmed for another's")
	}
	err := a.disk.Update(bg, func(tx Tx) error { return a.Trim(tx, a.key, 0, make([]uint64, MaxTrim+1)) })
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("a trim over the limit: %v", err)
	}
}

func TestKeepOfTheRemoved(t *testing.T) {
	ps, s := nodes(t, 4)
	a, b, c, late := ps[0], ps[1], ps[2], ps[3]
	a.write(t, 0, false)
	a.write(t, 1, false)
	between(t, b.Replica, a.Replica)
	a.write(t, 2, false)
	between(t, c.Replica, a.Replica) // c has what the remover b has not
	var list []byte
	must(t, b.disk.View(func(tx Tx) (err error) { list, err = b.KeepList(tx, a.key.Public()); return err }))
	if len(list) != 2*keepSize {
		t.Fatalf("a list of %d bytes", len(list))
	}
	s[a.key.Public()] = Standing{Keep: NewKeep(list)}
	for _, p := range ps[1:] {
		must(t, p.Restand(bg))
	}
	between(t, late.Replica, c.Replica)
	between(t, b.Replica, late.Replica)
	alike(t, b, c, late)
	if n := late.count(t, Log{a.key.Public(), 1}); n != 2 {
		t.Errorf("%d records are held, 2 are kept", n)
	}
	v, want, err := b.News(bg, a.write(t, 3, false).Raw())
	if v != Ignore || want || err != nil {
		t.Errorf("news of a removed author: %v %v %v", v, want, err)
	}
	s[a.key.Public()] = Standing{Keep: NewKeep()}
	must(t, b.Restand(bg))
	if n := b.count(t, Log{a.key.Public(), 1}); n != 0 {
		t.Errorf("%d records are held, none is kept", n)
	}
	if NewKeep(append(list[keepSize:], list[:keepSize]...)).Has(Log{a.key.Public(), 1}, 1, Sum(list[48:80])) {
		t.Error("a list that is not in order counts")
	}
}

func TestUnknownAuthorsAreNotTaken(t *testing.T) {
	ps, s := nodes(t, 3)
	stranger := ps[0].key.Public()
	ps[0].write(t, 0, false)
	between(t, ps[1].Replica, ps[0].Replica)
	less := standings{ps[2].key.Public(): s[ps[2].key.Public()], ps[1].key.Public(): s[ps[1].key.Public()]}
	ps[2].open(t, less)
	res, _ := between(t, ps[2].Replica, ps[1].Replica)
	if res.Taken+res.Received != 0 || ps[2].live(t) != "" {
		t.Errorf("%+v", res)
	}
	raw := ps[0].write(t, 1, false).Raw()
	if v, want, err := ps[2].News(bg, raw); v != Ignore || !want || err != nil {
		t.Errorf("news of a stranger: %v %v %v", v, want, err)
	}
	less[stranger] = Standing{Member: true}
	between(t, ps[2].Replica, ps[1].Replica)
	alike(t, ps[1], ps[2])
}
