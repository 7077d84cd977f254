package replica

import (
	"errors"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/wire"
)

// slow gives a node a clock that stands until it is moved.
func (p *node) slow() (pass func(time.Duration)) {
	now := time.Hour
	p.paces = newPaces(func() time.Duration { return now })
	return func(d time.Duration) { now += d }
}

// A member that writes as fast as it can is kept up with at a pace; others' records are
// taken meanwhile, and in the end all hold the same.
func TestAFloodIsTakenAtAPace(t *testing.T) {
	ps, _ := nodes(t, 3)
	here, bad, good := ps[0], ps[1], ps[2]
	pass := here.slow()
	const flood = newsBurst + 4000
	var log Log
	accepted, late := 0, 0
	for i := range flood {
		r := bad.write(t, i%3000, false)
		log = r.Log
		v, want, err := here.News(bg, r.Raw())
		must(t, err)
		switch {
		case v == Accept && late == 0:
			accepted++
		case v == Late && !want, v == Ignore && want && late > 0:
			late++
		default:
			t.Fatalf("record %d: %v, %v", i, v, want)
		}
		if i%1000 == 0 { // others are heard all the time
			if v, _, err := here.News(bg, good.write(t, i, false).Raw()); v != Accept || err != nil {
				t.Fatalf("another's record: %v, %v", v, err)
			}
		}
	}
	if accepted != newsBurst {
		t.Errorf("%d records of a flood taken at once", accepted)
	}
	// An exchange takes what there is room for, and all of others.
	good.write(t, 1, false)
	between(t, good.Replica, bad.Replica)
	here.paces.authors[log.Author].take.left = 700
	before := here.count(t, log)
	res, _ := between(t, here.Replica, good.Replica)
	if res.Received != 701 || here.count(t, log)-before > 700 {
		t.Errorf("an exchange brought %d records, of 700 that there was room for and 1", res.Received)
	}
	for range flood / takePerSecond {
		pass(time.Second)
		if res, _ := between(t, here.Replica, good.Replica); res.Received > takePerSecond {
			t.Fatalf("in a second came %d records", res.Received)
		}
	}
	pass(time.Second)
	between(t, here.Replica, good.Replica)
	alike(t, here, bad, good)
	// After a silence a whole log may come at once.
	pass(time.Hour)
	for i := range 3000 {
		bad.write(t, i, false)
	}
	if res, _ := between(t, here.Replica, bad.Replica); res.Taken != 3000 {
		t.Errorf("%d records taken after a silence", res.Taken)
	}
	alike(t, here, bad)
}

// The right to be heard is no author's to lose by what others say: news that it did not
// sign, or that is known, costs it nothing.
func TestNobodySpendsAnothersPace(t *testing.T) {
	ps, _ := nodes(t, 3)
	here, bad, good := ps[0], ps[1], ps[2]
	here.slow()
	first := good.write(t, 0, false)
	forged := append([]byte(nil), good.write(t, 1, false).Raw()...)
	forged[len(forged)-3] ^= 1
	for range 2 * newsBurst {
		must2(here.News(bg, first.Raw()))(t)
		must2(here.News(bg, forged))(t)
	}
	for i := range doubtsBurst + 10 { // gaps that another makes up of its own cost its own
		r, err := Make(bad.key, Header{Log: Log{Inc: 1}, N: uint64(i) + 5, Slot: slotOf(i)}, nil)
		must(t, err)
		v, want, err := here.News(bg, r.Raw())
		must(t, err)
		if want != (i < doubtsBurst) || v != Ignore && v != Late {
			t.Fatalf("gap %d: %v, %v", i, v, want)
		}
	}
	// Nor do exchanges with somebody who answers with forgeries.
	l := first.Log
	for range 3 {
		_, err := against(t, here, func(s script) {
			s.claims(claim{log: l, m: 100})
			s.until(frameWant)
			b := []byte{frameRecords}
			for range 200 {
				b = appendRecord(b, forged)
			}
			s.send(b)
			s.until(frameTurn)
		})
		if !errors.Is(err, ErrProtocol) {
			t.Fatalf("forgeries in an exchange: %v", err)
		}
	}
	if left := here.paces.room(l.Author); left != takeBurst {
		t.Errorf("%d records of its log may be taken, of %d", left, takeBurst)
	}
	good.open(t, standings{good.key.Public(): {Member: true}})
	for i := range newsBurst - 2 {
		r := good.write(t, i, false)
		if r.N == 2 {
			continue
		}
		v, _, err := here.News(bg, r.Raw())
		must(t, err)
		if r.N == 3 && v == Ignore {
			between(t, here.Replica, good.Replica) // number 2 was never told rightly
			continue
		}
		if v != Accept {
			t.Fatalf("record %d: %v", r.N, v)
		}
	}
}

func must2(_ Verdict, _ bool, err error) func(*testing.T) {
	return func(t *testing.T) { t.Helper(); must(t, err) }
}

// Who is asked gives each list once in a turn, and no more records than it listed.
func TestAskingAgainAndAgain(t *testing.T) {
	ps, _ := nodes(t, 2)
	victim, a := ps[0], ps[1]
	for i := range 5 {
		a.write(t, i, false)
	}
	between(t, victim.Replica, a.Replica)
	l := Log{a.key.Public(), 1}
	ask := func(frames ...[]byte) func(script) {
		return func(s script) {
			s.alike()
			s.until(frameTurn)
			s.send(greeting{hash: [32]byte{1}}.encode())
			s.until(frameEnd)
			for _, f := range frames {
				s.send(f)
				s.until(frameEnd)
			}
			s.send(turnFrame(false))
			s.until(frameTurn)
		}
	}
	list, pick, above := listFrame(l), pickFrame(l, []uint64{1, 2, 3}), want{l, 0, 2}.frame()
	for name, c := range map[string]struct {
		frames [][]byte
		bad    bool
	}{
		"each once":             {[][]byte{above, list, pick, {frameOld}}, false},
		"a list twice":          {[][]byte{list, list}, true},
		"a want twice":          {[][]byte{above, above}, true},
		"more than was listed":  {[][]byte{list, pick, pick}, true},
		"what was not listed":   {[][]byte{pick}, true},
		"evidence again":        {[][]byte{{frameOld}, {frameOld}}, true},
		"another log's records": {[][]byte{list, pickFrame(Log{l.Author, 2}, []uint64{1})}, true},
	} {
		if _, err := against(t, victim, ask(c.frames...)); errors.Is(err, ErrProtocol) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A want is answered with as many as it asks for.
	var got []Record
	_, err := against(t, victim, func(s script) {
		s.alike()
		s.until(frameTurn)
		s.send(greeting{hash: [32]byte{1}}.encode())
		s.until(frameEnd)
		s.send(above)
		f, err := s.conn.ReadFrame(wire.MaxFrame)
		if err == nil {
			got, err = decodeRecords(f[1:])
		}
		if err != nil {
			t.Error(err)
		}
	})
	if len(got) != 2 || got[1].N != 2 || err == nil {
		t.Errorf("%d records for a want of two: %v", len(got), err)
	}
}

// A newcomer does not commit a few records at a time: each commit writes many pages.
func TestANewcomerCommitsMuchAtOnce(t *testing.T) {
	ps, _ := nodes(t, 2)
	here, a := ps[0], ps[1]
	const count = 2*takeRecords + 500
	for i := range count {
		a.write(t, i, false)
	}
	before := here.disk.updates
	res, _ := between(t, here.Replica, a.Replica)
	if n := here.disk.updates - before; res.Taken != count || n > 3 {
		t.Errorf("%d records taken in %d commits", res.Taken, n)
	}
}

// alike answers a sum as one who claims nothing.
func (s script) alike() {
	s.until(frameSum)
	s.send(greeting{}.encode(), end)
}
