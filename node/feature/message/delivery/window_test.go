package delivery

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDelay(t *testing.T) {
	want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60, 60}
	for n, d := range want {
		if got := Delay(n); got != d*time.Second {
			t.Errorf("Delay(%d) = %v, want %v", n, got, d*time.Second)
		}
	}
	if Delay(1_000_000) != MaxDelay {
		t.Error("Delay grows without bound")
	}
}

func TestWindow(t *testing.T) {
	var w Window
	w.Add(9, 0)
	w.Add(5, 0)
	w.Add(7, 0)
	w.Add(7, 0)
	if got := w.Due(0); !slices.Equal(got, []uint64{5, 7, 9}) {
		t.Fatalf("due %v", got)
	}
	w.Sent(0, []uint64{5, 7}, 1)
	if got := w.Due(0); !slices.Equal(got, []uint64{9}) {
		t.Fatalf("due after sending %v", got)
	}
	w.Sent(0, []uint64{9, 999}, 1)
	if w.Next() != time.Second {
		t.Fatalf("next try %v", w.Next())
	}
	w.Done(7)
	w.Done(8)
	if got := w.Due(time.Second); !slices.Equal(got, []uint64{5, 9}) || w.Len() != 2 {
		t.Fatalf("due after a second %v", got)
	}
	w.Unreachable(time.Second, 1)
	w.Unreachable(2*time.Second, 1)
	if w.Due(3*time.Second) != nil || w.Next() != 4*time.Second {
		t.Fatalf("a try while unreachable, next %v", w.Next())
	}
	w.Contact()
	if got := w.Due(3 * time.Second); !slices.Equal(got, []uint64{5, 9}) {
		t.Fatalf("due on contact %v", got)
	}
	if !slices.Equal(w.Ords(), []uint64{5, 9}) || w.Room() != WindowSize-2 {
		t.Fatal("what is under way")
	}
}

// TestWindowForgetsNothing: what was added is due again within a minute until it is
// done, whatever happens.
func TestWindowForgetsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Window
		open := map[uint64]bool{}
		var now time.Duration
		for ord := uint64(1); ord < 60; ord++ {
			now += time.Duration(rapid.IntRange(0, 2000).Draw(t, "pause")) * time.Millisecond
			jitter := rapid.Float64Range(0.8, 1.2).Draw(t, "jitter")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				w.Add(ord, 0)
				open[ord] = true
			case 2:
				w.Sent(now, w.Due(now), jitter)
			case 3:
				w.Unreachable(now, jitter)
			case 4:
				w.Contact()
			case 5:
				for o := range open {
					w.Done(o)
					delete(open, o)
					break
				}
			}
			later := now + MaxDelay*2
			due := w.Due(later)
			if len(due) != len(open) || !slices.IsSorted(due) || len(open) > 0 && w.Next() > later {
				t.Fatalf("due %v, open %v", due, open)
			}
		}
	})
}

func TestBucket(t *testing.T) {
	r := Rate{PerSecond: 50, Burst: 3}
	var b Bucket
	for range 3 {
		if _, ok := b.Take(r, 0); !ok {
			t.Fatal("the burst was refused")
		}
	}
	wait, ok := b.Take(r, 0)
	if ok || wait != 20*time.Millisecond {
		t.Fatalf("over the burst: wait %v, %v", wait, ok)
	}
	if _, ok := b.Take(r, wait); !ok {
		t.Fatal("refused after the wait it asked for")
	}
	if b.Full(r, wait) || !b.Full(r, time.Second) {
		t.Fatal("Full")
	}
}
