package presence

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
)

// Two nodes with a copy of one folder: each is told when it hears the other, and of
// what an earlier run of its own said nobody is.
func TestACopyOfThisNodeIsTold(t *testing.T) {
	w := newWorld()
	ana := w.person(t, "ana")
	ana.agent(t, "a")
	m := ana.List()[0]
	say := func() []byte {
		t.Helper()
		raw, err := ana.beacon(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	early := say()
	w.pass(time.Minute)
	ana.stop()
	ana.start(t)
	listener := ana.Listen(UserSession)
	defer listener.Close()
	told := func() (n int) {
		for _, e := range listener.Take() {
			var s op.System
			if err := json.Unmarshal(e.Data, &s); err != nil {
				t.Fatal(err)
			}
			if s.Event == EventTwin {
				n++
			}
		}
		return n
	}
	hear := func(raw []byte) {
		t.Helper()
		if err := ana.Hear(t.Context(), w.id, ana.key, raw, 0); err != ErrKnown {
			t.Errorf("its own beacon: %v", err)
		}
	}
	hear(early)
	hear(say())
	if _, is := ana.TwinSeen(); is || told() != 0 {
		t.Error("an earlier run of its own is taken for a copy")
	}
	own := ana.boot
	other := func(boot uint64) []byte {
		ana.boot = boot
		defer func() { ana.boot = own }()
		return say()
	}
	w.pass(time.Minute)
	older := other(own - 100) // it runs since before, and still says something
	newer := other(own + 1)
	ana.seq += 7
	ahead := say() // the same second saw both start
	ana.seq -= 8
	for i, raw := range [][]byte{older, newer, ahead} {
		if i > 0 {
			w.pass(twinEvery)
		}
		hear(raw)
		hear(raw)
		if last, is := ana.TwinSeen(); !is || !last.Equal(w.now) {
			t.Errorf("%d: heard at %s, %v", i, last, is)
		}
		if !ana.Twin(w.id) {
			t.Errorf("%d: not in this mesh", i)
		}
		if n := told(); n != 1 {
			t.Errorf("%d: told %d times", i, n)
		}
	}
	w.pass(twinFor)
	if _, is := ana.TwinSeen(); is {
		t.Error("it is spoken of for ever")
	}
}
