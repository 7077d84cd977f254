package audit

import (
	"context"
	"strconv"

	"github.com/claudemesh/claudemesh/store"
)

// Limits of what is gathered between two writes.
const (
	maxNotes  = 4096
	manyNotes = 512 // from here on they are written at once
)

// Note puts an event into this node's own chain soon: it is gathered, and written with
// others. It never waits.
func (f *Feature) Note(e Event) {
	if f == nil {
		return
	}
	f.mu.Lock()
	if len(f.notes) < maxNotes {
		f.notes = append(f.notes, e)
	} else {
		f.dropped++
	}
	many := len(f.notes) >= manyNotes || f.watching > 0
	f.mu.Unlock()
	if many {
		wake(f.full)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// gathered is what was noted since the last time.
type gathered struct {
	notes    []Event
	dropped  uint64
	refused  map[refusal]uint64
	received map[refusal]letters
}

// take returns what was gathered and begins anew.
func (f *Feature) take() gathered {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := gathered{f.notes, f.dropped, f.refused, f.received}
	f.notes, f.dropped, f.refused, f.received = nil, 0, make(map[refusal]uint64), make(map[refusal]letters)
	return g
}

// events are the entries that it becomes, but for refusals: see announce.
func (g gathered) events() []Event {
	out := g.notes
	for from, l := range g.received {
		out = append(out, l.event(from))
	}
	if g.dropped > 0 {
		out = append(out, Event{Name: "events_dropped", Data: map[string]string{"times": strconv.FormatUint(g.dropped, 10)}})
	}
	return out
}

// write puts what was gathered into the chain, at the end all of it.
func (f *Feature) write(ctx context.Context, end bool) {
	g := f.take()
	events := append(g.events(), f.announce(g.refused, end)...)
	if len(events)+len(g.refused) == 0 {
		return
	}
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, e := range events {
			if err := f.Write(tx, e); err != nil {
				return err
			}
		}
		return f.count(tx, g.refused)
	})
	if err != nil {
		f.cfg.Log.Warn("events not kept", "events", len(events), "error", err)
	}
}
