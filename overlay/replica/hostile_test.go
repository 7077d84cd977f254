package replica

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/wire"
)

// script is a peer that says what a test wants it to say.
type script struct {
	t    *testing.T
	conn *wire.Conn
}

func (s script) send(frames ...[]byte) {
	for _, f := range frames {
		_ = s.conn.Send(f)
	}
}

// until reads frames up to one of this type.
func (s script) until(kind byte) {
	for {
		f, err := s.conn.ReadFrame(wire.MaxFrame)
		if err != nil || len(f) > 0 && f[0] == kind {
			return
		}
	}
}

// against lets p, the opener, exchange with a script, which says nothing more at its end.
func against(t *testing.T, p *node, play func(s script)) (Result, error) {
	t.Helper()
	x, y := streams(-1, -1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		play(script{t, wire.NewConn(y)})
		y.out.shut()
		_, _ = io.Copy(io.Discard, y)
	}()
	res, err := p.Exchange(bg, wire.NewConn(x), true)
	x.shut()
	<-done
	return res, err
}

func frame(kind byte, rest []byte) []byte { return append([]byte{kind}, rest...) }

var end = []byte{frameEnd}

// claims answers a sum with a vector.
func (s script) claims(cs ...claim) {
	s.until(frameSum)
	var b []byte
	for _, c := range cs {
		b = c.append(b)
	}
	s.send(greeting{hash: [32]byte{1}}.encode(), frame(frameVector, b), end)
}

func TestPeersThatBreakTheRules(t *testing.T) {
	ps, _ := nodes(t, 3)
	victim, a := ps[0], ps[1]
	var recs []Record
	for i := range 3 {
		recs = append(recs, a.write(t, i, false))
	}
	l := recs[0].Log
	other := ps[2].write(t, 0, false)
	records := func(rs ...Record) []byte {
		b := []byte{frameRecords}
		for _, r := range rs {
			b = appendRecord(b, r.Raw())
		}
		return b
	}
	forged := append([]byte{}, recs[0].Raw()...)
	forged[len(forged)-len(recs[0].cipher)-1] ^= 1
	wanted := func(answer ...[]byte) func(script) {
		return func(s script) {
			s.claims(claim{log: l, m: 3})
			s.until(frameWant)
			s.send(answer...)
			s.send(end)
			s.until(frameTurn)
		}
	}
	var many [][]byte
	for range maxSkipped + 2 {
		many = append(many, []byte{99})
	}
	for _, c := range []struct {
		name string
		play func(script)
	}{
		{"no sum", func(s script) { s.send(end) }},
		{"a sum that is none", func(s script) { s.send(frame(frameSum, []byte{1, 2, 3})) }},
		{"a vector out of order", func(s script) { s.claims(claim{log: other.Log, m: 1}, claim{log: other.Log, m: 1}) }},
		{"a claim of nothing", func(s script) { s.claims(claim{log: l}) }},
		{"records of another log", wanted(records(other))},
		{"records that do not ascend", wanted(records(recs[1], recs[0]))},
		{"a forged record", wanted(frame(frameRecords, appendRecord(nil, forged)))},
		{"half a record", wanted(frame(frameRecords, appendRecord(nil, recs[0].Raw())[:50]))},
		{"a frame over the limit", wanted(make([]byte, maxAnswer+1))},
		{"nothing but unknown frames", wanted(many...)},
	} {
		if _, err := against(t, victim, c.play); !errors.Is(err, ErrProtocol) && !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("%s: got error %v", c.name, err)
		}
	}
	if text := victim.live(t); strings.Contains(text, "slot") {
		t.Errorf("something was taken:\n%s", text)
	}
	between(t, victim.Replica, a.Replica)
	if n := victim.count(t, l); n != 3 {
		t.Errorf("%d records of 3 after the honest one", n)
	}
}

// A peer that names made-up records makes nobody drop real ones.
func TestAListThatLies(t *testing.T) {
	ps, _ := nodes(t, 2)
	victim, a := ps[0], ps[1]
	for i := range 3 {
		a.write(t, i, false)
	}
	between(t, victim.Replica, a.Replica)
	before := victim.live(t)
	l := Log{a.key.Public(), 1}
	// The victim has lost record 1: it is not exact, the liar's list adds up.
	must(t, victim.disk.Update(bg, func(tx Tx) error {
		r, _, err := recordAt(tx, l, 1)
		if err != nil {
			return err
		}
		e := victim.edit(tx)
		return firstError(e.remove(r), e.finish())
	}))
	var top Record
	must(t, a.disk.View(func(tx Tx) (err error) { top, _, err = recordAt(tx, l, 3); return err }))
	made := top.Digest.minus(top.hash)
	res, err := against(t, victim, func(s script) {
		s.claims(claim{log: l, m: 3, sum: [8]byte{1}})
		s.until(frameList)
		s.send(frame(frameEntries, entry{3, top.hash}.append(entry{2, made}.append(nil))))
		s.send(frame(frameRecords, appendRecord(nil, top.Raw())), end)
		s.until(framePick)
		s.send(end)
		s.until(frameTurn)
	})
	if err == nil || res.Taken != 0 {
		t.Errorf("%+v, %v", res, err) // the script hangs up after its turn
	}
	if n := victim.count(t, l); n != 2 {
		t.Errorf("%d records are left of 2", n)
	}
	between(t, victim.Replica, a.Replica)
	if after := victim.live(t); after != before {
		t.Errorf("before\n%safter\n%s", before, after)
	}
}

// Two that lost different records and of two branches of a log end alike.
func TestSetsThatNobodyHasWhole(t *testing.T) {
	ps, _ := nodes(t, 3)
	a, b, c := ps[0], ps[1], ps[2]
	for i := range 5 {
		a.write(t, i, false)
	}
	between(t, b.Replica, a.Replica)
	between(t, c.Replica, a.Replica)
	l := Log{a.key.Public(), 1}
	lose := func(p *node, n uint64, instead *Record) {
		must(t, p.disk.Update(bg, func(tx Tx) error {
			r, _, err := recordAt(tx, l, n)
			if err != nil {
				return err
			}
			e := p.edit(tx)
			if err := e.remove(r); err != nil {
				return err
			}
			if instead != nil {
				if _, err := e.put(*instead, false); err != nil {
					return err
				}
			}
			return e.finish()
		}))
	}
	fork, err := Make(a.key, Header{Log: Log{Inc: 1}, N: 2, Slot: slotOf(7)}, nil)
	must(t, err)
	lose(b, 1, nil)
	lose(b, 2, &fork)
	lose(c, 3, nil)
	between(t, c.Replica, b.Replica)
	alike(t, b, c)
	if n := b.count(t, l); n != 5 {
		t.Errorf("%d records, the union has 5", n)
	}
	between(t, b.Replica, a.Replica)
	between(t, c.Replica, b.Replica)
	alike(t, a, b, c)
}

// Two branches of a log whose author is never seen again: both nodes end with the one of
// the higher digest, and the other branch is kept for its author.
func TestAForkWithoutItsAuthor(t *testing.T) {
	ps, s := nodes(t, 3)
	a, b, c := ps[0], ps[1], ps[2]
	a.write(t, 0, false)
	saved := a.disk.copyOf()
	a.write(t, 1, false)
	between(t, b.Replica, a.Replica)
	a.disk = saved
	a.open(t, s)
	a.write(t, 2, false)
	between(t, c.Replica, a.Replica)
	between(t, b.Replica, c.Replica)
	alike(t, b, c)
	kept := 0
	for _, p := range []*node{b, c} {
		if tab := p.disk.tables[tableOld]; tab != nil {
			kept += len(tab.keys)
		}
	}
	if kept != 1 || b.count(t, Log{a.key.Public(), 1}) != 2 {
		t.Errorf("%d records of evidence, %d live", kept, b.count(t, Log{a.key.Public(), 1}))
	}
}

// A later write that a number of another branch displaces is kept for its author.
func TestALaterWriteThatIsDisplacedIsKept(t *testing.T) {
	ps, _ := nodes(t, 2)
	a, b := ps[0], ps[1]
	make := func(n uint64, clock Clock) Record {
		r, err := Make(a.key, Header{Log: Log{Inc: 1}, N: n, Slot: slotOf(0), Clock: clock}, nil)
		must(t, err)
		return r
	}
	for _, r := range []Record{make(1, 20), make(2, 10)} {
		if v, _, err := b.News(bg, r.Raw()); v != Accept || err != nil {
			t.Fatalf("%v, %v", v, err)
		}
	}
	if tab := b.disk.tables[tableOld]; tab == nil || len(tab.keys) != 1 {
		t.Error("the later write is gone")
	}
}
