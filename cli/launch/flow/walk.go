package flow

import (
	"context"
	"time"
)

// Walk is one way through a flow: its session, and the overlays above it. It belongs to
// one goroutine.
type Walk struct {
	flow  Flow
	s     *Session
	over  []Overlay
	tried map[string]int // how often a step's work has failed in a row
}

// New begins a walk with what is known beforehand.
func New(f Flow, s *Session) *Walk { return &Walk{flow: f, s: s, tried: map[string]int{}} }

// Session is what the walk leads to.
func (w *Walk) Session() *Session { return w.s }

// Overlay is the topmost overlay, and whether there is one. While there is, no step is
// active.
func (w *Walk) Overlay() (Overlay, bool) {
	if len(w.over) == 0 {
		return Overlay{}, false
	}
	return w.over[len(w.over)-1], true
}

// Step is the active step, and whether anything is left to do.
func (w *Walk) Step() (Step, bool) { return w.flow.Next(w.s) }

// Answer answers the topmost overlay, or else the active question. It fails with
// ErrCancelled, or with why the answer is refused.
func (w *Walk) Answer(value string) error {
	if value == Quit {
		return ErrCancelled
	}
	if o, ok := w.Overlay(); ok {
		w.over = w.over[:len(w.over)-1]
		o.Choose(w.s, value)
		return nil
	}
	e, ok := w.Step()
	if !ok || e.IsWork() {
		return nil
	}
	return e.Answer(w.s, value)
}

// Retry does what the topmost overlay does when its time has come.
func (w *Walk) Retry() {
	if o, ok := w.Overlay(); ok {
		_ = w.Answer(o.Options[0].Value) // an overlay refuses nothing
	}
}

// Done takes over what the work of a step came to.
func (w *Walk) Done(e Step, apply func(*Session), err error) {
	if apply != nil && (err == nil || keeps(err)) {
		apply(w.s)
	}
	if err == nil {
		delete(w.tried, e.ID)
		return
	}
	o := e.Failed(err)
	if o.Retry > 0 {
		o.Retry = min(o.Retry<<min(w.tried[e.ID], 10), retryMost)
	}
	w.tried[e.ID]++
	w.over = append(w.over, o)
}

// keeps tells a failure after which what was found out still holds.
func keeps(err error) bool {
	_, ok := err.(*unknownMesh)
	return ok
}

// Lost tells that what was reached before is so no more. It is looked for again.
func (w *Walk) Lost(err error) {
	if _, ok := w.Overlay(); ok {
		return
	}
	o := lost(err)
	o.Retry = lostFirst
	w.over = append(w.over, o)
	w.s.Online = -1 // what was counted holds no more
}

// Through goes through the whole flow without asking anybody: where there is no answer
// that is no guess, it fails and names the flag that is missing.
func (w *Walk) Through(ctx context.Context, world World) error {
	for {
		e, ok := w.Step()
		switch {
		case !ok:
			return nil
		case e.IsWork():
			apply, err := e.Do(ctx, world, *w.s)
			if err != nil {
				return err
			}
			apply(w.s)
		case e.Otherwise == nil:
			return missing(e, w.s)
		default:
			if err := e.Answer(w.s, e.Otherwise(w.s)); err != nil {
				return err
			}
		}
	}
}

// Countdown is how many whole seconds are left until a time, at least 1 before it.
func Countdown(now, until time.Time) int {
	return max(int((until.Sub(now)+time.Second-1)/time.Second), 0)
}
