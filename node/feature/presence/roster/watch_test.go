package roster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// stage is a watch and a roster on virtual time.
type stage struct {
	t     *testing.T
	w     Watch
	r     *Roster
	start time.Time
	mono  time.Duration
	seq   uint64
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, r: New(), start: time.Unix(1_000_000, 0), mono: time.Hour}
	s.w.Begin(s.now(), s.mono)
	return s
}

func (s *stage) now() time.Time       { return s.start.Add(s.mono) }
func (s *stage) pass(d time.Duration) { s.mono += d }

// beacon has a member's node, started ago, list sessions: their ages, negative for one
// that hides.
func (s *stage) beacon(member byte, boot time.Duration, sessions map[byte]time.Duration) {
	s.seq++
	b := Beacon{Boot: uint64(s.now().Add(-boot).Unix()), Seq: s.seq, Clock: s.now(), Lease: Lease}
	for key, age := range sessions {
		c := Card{Key: ident.PublicKey{key}, Name: string(rune(key)), Opened: s.now().Add(-max(age, -age))}
		if age < 0 {
			c.Sight = Hiding
		}
		b.Cards = append(b.Cards, c)
	}
	s.r.Apply(ident.PublicKey{member}, b, nil, 0, s.mono, s.now())
}

// told expects the news since the last look, as TURN NAME, in any order.
func (s *stage) told(what string, want ...string) {
	s.t.Helper()
	var got []string
	for _, n := range s.w.Look(s.r, s.now(), s.mono) {
		one := strings.TrimPrefix(string(n.Turn), "peer_") + " " + n.Card.Name
		if !n.Last.IsZero() {
			one += " " + fmt.Sprint(s.now().Sub(n.Last))
		}
		got = append(got, one)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestWhatIsToldOfSessions(t *testing.T) {
	const day = 24 * time.Hour
	for name, play := range map[string]func(*stage){
		"one that opens joins, once": func(s *stage) {
			s.pass(5 * time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Second})
			s.told("opened", "joined a")
			s.beacon(1, day, map[byte]time.Duration{'a': 20 * time.Second})
			s.told("again")
		},
		"those that were there at our start are no news": func(s *stage) {
			s.pass(5 * time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Hour, 'b': time.Hour})
			s.told("at start")
			s.beacon(1, day, map[byte]time.Duration{'a': time.Hour})
			s.told("b ended", "left b")
		},
		"one of a node that starts returns": func(s *stage) {
			s.pass(10 * time.Second)
			s.w.Knew(ident.PublicKey{1}, Card{Key: ident.PublicKey{'a'}}, s.now().Add(-time.Hour))
			s.beacon(1, 2*time.Second, map[byte]time.Duration{'a': day})
			s.told("back", "returned a 1h0m0s")
		},
		"away and back is nothing": func(s *stage) {
			s.pass(time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Millisecond})
			s.told("opened", "joined a")
			s.pass(Lease + Grace - time.Second)
			s.told("away")
			s.beacon(1, day, map[byte]time.Duration{'a': time.Minute})
			s.told("back")
		},
		"who is away for the whole grace has left": func(s *stage) {
			s.pass(time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Millisecond})
			s.told("opened", "joined a")
			s.pass(Lease + Grace)
			s.told("over", "left a")
			s.told("once")
			s.pass(time.Minute)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Hour})
			s.told("back", "returned a "+(Lease+Grace+time.Minute).String())
		},
		"a goodbye is the beacon without the session": func(s *stage) {
			s.pass(time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Millisecond})
			s.told("opened", "joined a")
			s.beacon(1, day, nil)
			s.told("closed", "left a")
		},
		"a restart of their node is nothing": func(s *stage) {
			s.pass(time.Minute)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Second})
			s.told("opened", "joined a")
			s.pass(time.Minute)
			s.beacon(1, time.Second, map[byte]time.Duration{'a': time.Minute})
			s.told("restarted")
		},
		"who hides looks like one that left": func(s *stage) {
			s.pass(time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Millisecond})
			s.told("opened", "joined a")
			s.beacon(1, day, map[byte]time.Duration{'a': -time.Minute})
			s.told("hides", "left a")
			s.pass(time.Minute)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Hour})
			s.told("shows itself", "returned a 1m0s")
		},
		"who opens hiding is nobody": func(s *stage) {
			s.pass(time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': -time.Millisecond})
			s.told("hides")
		},
		"a removed member's sessions have left": func(s *stage) {
			s.pass(time.Second)
			s.beacon(1, day, map[byte]time.Duration{'a': time.Millisecond})
			s.told("opened", "joined a")
			s.r.Keep(nil)
			s.told("removed", "left a")
		},
		"our own pause is no flood": func(s *stage) {
			s.pass(time.Second)
			for m := range byte(17) {
				s.beacon(m+1, day, map[byte]time.Duration{'a' + m: time.Millisecond})
			}
			if n := len(s.w.Look(s.r, s.now(), s.mono)); n != 17 {
				s.t.Fatalf("%d joined", n)
			}
			s.pass(8 * time.Hour)
			s.r.Restart(s.mono, 8*time.Hour)
			s.w.Begin(s.now(), s.mono)
			s.told("woken")
			for m := range byte(9) {
				s.beacon(m+1, day, map[byte]time.Duration{'a' + m: time.Hour})
			}
			s.beacon(10, day, nil) // closed meanwhile
			s.told("heard again")
			s.pass(Lease + Grace - time.Second)
			for m := range byte(9) {
				s.beacon(m+1, day, map[byte]time.Duration{'a' + m: time.Hour})
			}
			s.pass(time.Second)
			s.told("the others were silent all the time")
		},
	} {
		t.Run(name, func(t *testing.T) { play(newStage(t)) })
	}
}

func TestPaceGrowsWithTheMesh(t *testing.T) {
	for nodes, want := range map[int]time.Duration{1: 20 * time.Second, 200: 20 * time.Second, 300: 30 * time.Second, 600: time.Minute, 5000: time.Minute} {
		interval, lease := Pace(nodes)
		if interval != want || lease != want*15/4 {
			t.Errorf("%d nodes: every %s for %s", nodes, interval, lease)
		}
	}
}

func TestTheMedianCounts(t *testing.T) {
	own := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const h = time.Hour
	for _, c := range []struct {
		others []time.Duration
		want   time.Duration
	}{
		{nil, 0},
		{[]time.Duration{3 * h}, 0},
		{[]time.Duration{-3 * h}, 0},
		{[]time.Duration{h, 3 * h}, h},
		{[]time.Duration{1000 * h, 1000 * h}, 0},          // two liars are not enough as long as nobody else votes
		{[]time.Duration{0, 1000 * h, 1000 * h}, 0},       // nor is half
		{[]time.Duration{0, -1000 * h, -1000 * h}, 0},     // either way
		{[]time.Duration{30 * h, 30 * h, 30 * h}, 30 * h}, // here it is the own clock that is wrong
		{[]time.Duration{-2 * h, -h, h}, 0},
		{[]time.Duration{-3 * h, -2 * h, -h}, -h},
	} {
		var votes []time.Time
		for _, d := range c.others {
			votes = append(votes, own.Add(d))
		}
		if got := Median(own, votes); !got.Equal(own.Add(c.want)) {
			t.Errorf("%v: %s, want %s", c.others, got.Sub(own), c.want)
		}
	}
}
