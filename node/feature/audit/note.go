package audit

import (
	"context"
	"encoding/binary"
	"strconv"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Limits of what is gathered between two writes. Who floods a node with nonsense
// fills counters and not its disk.
const (
	maxNotes    = 4096
	manyNotes   = 512 // from here on they are written at once
	maxRefusals = 256
)

// refusal is what refusals are counted by.
type refusal struct {
	mesh   ident.MeshID
	who    ident.PublicKey
	reason string
}

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

// Refused counts something that was refused. who is the member it came from, zero if
// that is not known; reason is one of a few words like an event's name. Those of one
// member for one reason become one entry each time the gathered is written.
func (f *Feature) Refused(mesh ident.MeshID, who ident.PublicKey, reason string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := refusal{mesh, who, reason}
	if _, known := f.refused[r]; !known && len(f.refused) >= maxRefusals {
		r.who = ident.PublicKey{}
	}
	f.refused[r]++
	f.soon()
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

// events are the entries that it becomes.
func (g gathered) events() []Event {
	out := g.notes
	for from, l := range g.received {
		out = append(out, l.event(from))
	}
	for r, n := range g.refused {
		out = append(out, Event{Mesh: r.mesh, Actor: r.who, Name: "refused", Data: map[string]string{
			"reason": r.reason, "times": strconv.FormatUint(n, 10),
		}})
	}
	if g.dropped > 0 {
		out = append(out, Event{Name: "events_dropped", Data: map[string]string{"times": strconv.FormatUint(g.dropped, 10)}})
	}
	return out
}

// write puts what was gathered into the chain.
func (f *Feature) write(ctx context.Context) {
	g := f.take()
	events := g.events()
	if len(events) == 0 {
		return
	}
	err := f.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, e := range events {
			if err := f.Write(tx, e); err != nil {
				return err
			}
		}
		return count(tx, g.refused)
	})
	if err != nil {
		f.cfg.Log.Warn("events not kept", "events", len(events), "error", err)
	}
}

// count adds to the counters of refusals.
func count(tx *store.Tx, refused map[refusal]uint64) error {
	b := tx.Bucket(bucketAudit, bucketRefused)
	for r, n := range refused {
		if was := b.Get([]byte(r.reason)); len(was) == 8 {
			n += binary.BigEndian.Uint64(was)
		}
		if err := b.Put([]byte(r.reason), number(n)); err != nil {
			return err
		}
	}
	return nil
}

// counts are the refusals so far, those not yet written among them.
func (f *Feature) counts(tx *store.Tx) map[string]uint64 {
	out := make(map[string]uint64)
	tx.Bucket(bucketAudit, bucketRefused).Ascend(nil, func(k, v []byte) bool {
		if len(v) == 8 {
			out[string(k)] = binary.BigEndian.Uint64(v)
		}
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	for r, n := range f.refused {
		out[r.reason] += n
	}
	return out
}
