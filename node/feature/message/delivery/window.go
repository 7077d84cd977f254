package delivery

import (
	"slices"
	"time"
)

// WindowSize is how many letters to one home may be unanswered.
const WindowSize = 256

// MaxDelay is the longest pause between two tries.
const MaxDelay = 60 * time.Second

// Delay is the pause after the n-th try, n ≥ 1: 1, 2, 4 … 60 s.
func Delay(n int) time.Duration {
	if n < 1 {
		return 0
	}
	if n > 6 {
		return MaxDelay
	}
	return min(time.Second<<(n-1), MaxDelay)
}

// Window is what is under way to one home: unfinished letters by ord, each with
// the time of its next try. Times are monotonic. One goroutine uses it.
type Window struct {
	slots []slot        // ascending
	fails int           // tries in a row that found the home unreachable
	pause time.Duration // no try before it
}

type slot struct {
	ord   uint64
	tries int
	due   time.Duration
}

// Room is how many letters may be added.
func (w *Window) Room() int { return WindowSize - len(w.slots) }

// Len is how many letters are unfinished.
func (w *Window) Len() int { return len(w.slots) }

// Add puts in a letter, first due at a time, unless it is there.
func (w *Window) Add(ord uint64, due time.Duration) {
	if i, ok := w.find(ord); !ok {
		w.slots = slices.Insert(w.slots, i, slot{ord: ord, due: due})
	}
}

// Paused tells that nothing is tried now: the home could not be reached just before.
func (w *Window) Paused(now time.Duration) bool { return now < w.pause }

// Ords lists the unfinished letters, ascending.
func (w *Window) Ords() []uint64 {
	out := make([]uint64, len(w.slots))
	for i, s := range w.slots {
		out[i] = s.ord
	}
	return out
}

// Due lists the letters to be sent now, ascending.
func (w *Window) Due(now time.Duration) []uint64 {
	if now < w.pause {
		return nil
	}
	var out []uint64
	for _, s := range w.slots {
		if s.due <= now {
			out = append(out, s.ord)
		}
	}
	return out
}

// Sent says that letters were handed to the stream. Those of which nothing is
// heard are due again later: jitter, about 1, stretches the pause.
func (w *Window) Sent(now time.Duration, ords []uint64, jitter float64) {
	w.fails, w.pause = 0, 0
	for _, ord := range ords {
		if i, ok := w.find(ord); ok {
			w.slots[i].tries++
			w.slots[i].due = now + stretch(Delay(w.slots[i].tries), jitter)
		}
	}
}

// Unreachable says that the home could not be reached.
func (w *Window) Unreachable(now time.Duration, jitter float64) {
	w.fails++
	w.pause = now + stretch(Delay(w.fails), jitter)
}

// Contact says that the home became reachable, or that a stream to it broke: all
// is due at once.
func (w *Window) Contact() {
	w.fails, w.pause = 0, 0
	for i := range w.slots {
		w.slots[i].due, w.slots[i].tries = 0, 0
	}
}

// Done takes a finished letter out.
func (w *Window) Done(ord uint64) {
	if i, ok := w.find(ord); ok {
		w.slots = slices.Delete(w.slots, i, i+1)
	}
}

// Next is the time of the next try; in an empty window that is the end of the
// pause.
func (w *Window) Next() time.Duration {
	if len(w.slots) == 0 {
		return w.pause
	}
	first := w.slots[0].due
	for _, s := range w.slots {
		first = min(first, s.due)
	}
	return max(first, w.pause)
}

func (w *Window) find(ord uint64) (int, bool) {
	return slices.BinarySearchFunc(w.slots, ord, func(s slot, o uint64) int {
		switch {
		case s.ord < o:
			return -1
		case s.ord > o:
			return 1
		}
		return 0
	})
}

func stretch(d time.Duration, jitter float64) time.Duration {
	return time.Duration(float64(d) * jitter)
}
