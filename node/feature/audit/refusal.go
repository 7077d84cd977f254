package audit

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
)

// Limits of what refusals take. Who floods a node with nonsense fills counters and not
// its disk, and pushes nothing else out of the chain.
const (
	maxRefusals = 256  // kept apart between two writes, and while they go on
	maxRows     = 1000 // counters by member; what is beyond is counted as of nobody
	// An entry of refusals that go on says how many there were since the one before;
	// the first comes at once, each later one after twice the time.
	leastPause = time.Minute
	mostPause  = time.Hour
)

// How a refusal is told.
const (
	eventRefused = "refused"
	dataReason   = "reason"
	dataTimes    = "times"
	dataAct      = "act" // what it would have been
	// reasonNoRight is of what was signed rightly by somebody who may not do it.
	reasonNoRight = "no_right"
)

// refusal is what refusals are counted by.
type refusal struct {
	mesh   ident.MeshID
	who    ident.PublicKey
	reason string
}

// pending are refusals that go on: those which no entry has yet.
type pending struct {
	times uint64
	pause time.Duration
	due   time.Time // of the next entry
}

// Refused counts something that was refused. who is the member it came from, zero if
// that is not known for sure; reason is one of a few words like an event's name.
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

// announce makes the entries that are due of what was refused since the last time. At
// the end all are.
func (f *Feature) announce(refused map[refusal]uint64, end bool) []Event {
	now := f.cfg.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for r, n := range refused {
		p, goesOn := f.pending[r]
		if !goesOn && len(f.pending) >= maxRefusals {
			r.who = ident.PublicKey{}
			p, goesOn = f.pending[r]
		}
		if !goesOn {
			p = &pending{due: now}
			f.pending[r] = p
		}
		p.times += n
	}
	var out []Event
	for r, p := range f.pending {
		switch wait := p.due.Sub(now); {
		case p.times == 0 && wait < -mostPause:
			delete(f.pending, r)
		case p.times > 0 && (end || wait <= 0 || wait > mostPause): // or the clock was set back
			out = append(out, Event{Mesh: r.mesh, Actor: r.who, Name: eventRefused, Data: map[string]string{
				dataReason: r.reason, dataTimes: strconv.FormatUint(p.times, 10),
			}})
			p.pause = min(max(2*p.pause, leastPause), mostPause)
			p.times, p.due = 0, now.Add(p.pause)
		}
	}
	return out
}

// tally is how often something was refused.
type tally struct {
	times       uint64
	first, last time.Time
}

func (t tally) encode() []byte {
	b := number(t.times)
	b = binary.BigEndian.AppendUint64(b, uint64(t.first.UnixMilli()))
	return binary.BigEndian.AppendUint64(b, uint64(t.last.UnixMilli()))
}

func decodeTally(b []byte) (t tally) {
	if len(b) != 24 {
		return t
	}
	at := func(i int) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(b[i:]))).UTC() }
	return tally{binary.BigEndian.Uint64(b), at(8), at(16)}
}

// and adds refusals of one moment.
func (t tally) and(n uint64, now time.Time) tally {
	if t.times == 0 {
		t.first = now
	}
	return tally{t.times + n, t.first, now}
}

func (r refusal) key() []byte { return append(slices.Concat(r.mesh[:], r.who[:]), r.reason...) }

func parseRefusal(key []byte) (r refusal, ok bool) {
	const prefix = len(r.mesh) + len(r.who)
	if len(key) <= prefix {
		return r, false
	}
	copy(r.mesh[:], key)
	copy(r.who[:], key[len(r.mesh):])
	r.reason = string(key[prefix:])
	return r, true
}

// count adds to the counters of refusals.
func (f *Feature) count(tx *store.Tx, refused map[refusal]uint64) error {
	if len(refused) == 0 {
		return nil
	}
	b, now, rows := tx.Bucket(bucketAudit, bucketRefusal), f.cfg.Now(), 0
	b.Ascend(nil, func(_, _ []byte) bool { rows++; return true })
	for r, n := range refused {
		if b.Get(r.key()) == nil {
			if rows >= maxRows {
				r.who = ident.PublicKey{}
			}
			rows++
		}
		if err := b.Put(r.key(), decodeTally(b.Get(r.key())).and(n, now).encode()); err != nil {
			return err
		}
	}
	return nil
}

// tallies are the refusals so far, those not yet written among them.
func (f *Feature) tallies(tx *store.Tx) map[refusal]tally {
	out := make(map[refusal]tally)
	tx.Bucket(bucketAudit, bucketRefusal).Ascend(nil, func(k, v []byte) bool {
		if r, ok := parseRefusal(k); ok {
			out[r] = decodeTally(v)
		}
		return true
	})
	now := f.cfg.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for r, n := range f.refused {
		out[r] = out[r].and(n, now)
	}
	return out
}

// refusals are what a request wants of them: those that came last first, and the sum of
// all by reason.
func (f *Feature) refusals(w wanted, slugs map[string]string) (byReason map[string]uint64, list []Refusal, err error) {
	byReason, list = make(map[string]uint64), []Refusal{}
	err = f.cfg.DB.View(func(tx *store.Tx) error {
		for r, t := range f.tallies(tx) {
			byReason[r.reason] += t.times
			if !w.refused(r, t) {
				continue
			}
			one := Refusal{Reason: r.reason, Times: t.times, First: stamp(t.first), Last: stamp(t.last), From: unknownPeer}
			if r.mesh != (ident.MeshID{}) {
				one.Mesh = r.mesh.String()
			}
			if !r.who.IsZero() {
				one.From, one.Key = w.name(one.Mesh, r.who.String()), r.who.String()
			}
			if slug := slugs[one.Mesh]; slug != "" {
				one.Mesh = slug
			}
			list = append(list, one)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Refusal) int {
		return bytes.Compare([]byte(b.Last+b.Reason+b.Key+b.Mesh), []byte(a.Last+a.Reason+a.Key+a.Mesh))
	})
	return byReason, list[:min(len(list), maxShown)], err
}

// forgetRefusals removes the counters of a mesh.
func forgetRefusals(tx *store.Tx, mesh ident.MeshID) error {
	b := tx.Bucket(bucketAudit, bucketRefusal)
	var keys [][]byte
	b.AscendPrefix(mesh[:], func(k, _ []byte) bool {
		keys = append(keys, bytes.Clone(k))
		return true
	})
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
