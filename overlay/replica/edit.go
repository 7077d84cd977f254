package replica

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxLive is how many live records an author's log may have.
const MaxLive = 200_000

// maxOld bounds the evidence kept of one author.
const maxOld = 2 * MaxLive

// The replica's own slots. Their ciphertext is not sealed, so that replicas without
// keys follow them too.
var (
	slotTrim = Slot(sha256.Sum256([]byte(ident.Domain + "slot/trim")))
	slotMark = Slot(sha256.Sum256([]byte(ident.Domain + "slot/replaced")))
)

// Reserved tells whether a slot is the replica's own.
func Reserved(s Slot) bool { return s == slotTrim || s == slotMark }

// edit changes the live sets inside one transaction. Its finish writes what it
// gathered.
type edit struct {
	r       *Replica
	tx      Tx
	now     time.Time
	logs    map[Log]*state
	slots   map[Slot]struct{}
	taken   int  // records that became live
	foreign bool // records of the own author came to the evidence
}

func (r *Replica) edit(tx Tx) *edit {
	return &edit{r: r, tx: tx, now: r.cfg.Now(), logs: map[Log]*state{}, slots: map[Slot]struct{}{}}
}

func (e *edit) log(l Log) (*state, error) {
	if s, ok := e.logs[l]; ok {
		return s, nil
	}
	s, err := readState(e.tx, l)
	if err != nil {
		return nil, err
	}
	e.logs[l] = &s
	return &s, nil
}

// put makes a record part of the live set if it is live there: not replaced, the
// highest of its slot, and of two with one number the one of the higher hash, or with
// force the new one. What is beaten though it is later goes to the evidence.
func (e *edit) put(r Record, force bool) (bool, error) {
	if floorOf(e.tx, r.Log.Author) > r.Log.Inc {
		return false, e.evidence(r)
	}
	if ok, err := e.admit(r.Log); err != nil || !ok {
		return false, err
	}
	same, held, err := recordAt(e.tx, r.Log, r.N)
	if err != nil || held && same.hash == r.hash {
		return false, err
	}
	if held && !force && beats(same.hash, r.hash) {
		return false, e.evidence(r)
	}
	n := numberAt(e.tx, r.Slot, r.Log)
	if n > r.N {
		return false, e.evidence(r)
	}
	var beaten []Record
	if held {
		beaten = append(beaten, same)
	}
	if n > 0 && n < r.N {
		b, ok, err := recordAt(e.tx, r.Log, n)
		if err != nil {
			return false, err
		}
		if ok {
			beaten = append(beaten, b)
		}
	}
	return true, e.replace(r, beaten)
}

// beats tells whether hash a stands against b where both have one number.
func beats(a, b Sum) bool { return string(a[:]) > string(b[:]) }

// replace takes beaten records out and r in.
func (e *edit) replace(r Record, beaten []Record) error {
	for _, b := range beaten {
		if err := e.remove(b); err != nil {
			return err
		}
	}
	if err := e.insert(r); err != nil {
		return err
	}
	for _, b := range beaten {
		if err := e.evidence(b); err != nil {
			return err
		}
	}
	switch r.Slot {
	case slotTrim:
		return e.trim(r)
	case slotMark:
		return e.mark(r)
	}
	return nil
}

func (e *edit) insert(r Record) error {
	s, err := e.log(r.Log)
	if err != nil {
		return err
	}
	if err := e.tx.Put(tableRec, recKey(r.Log, r.N), r.raw); err != nil {
		return err
	}
	if err := e.tx.Put(tableSlot, slotKey(r.Slot, r.Log), number(r.N)); err != nil {
		return err
	}
	s.m, s.sum, s.count = max(s.m, r.N), s.sum.plus(r.hash), s.count+1
	e.taken++
	e.changed(r.Slot)
	return nil
}

// remove takes a live record out. The caller sees to m.
func (e *edit) remove(r Record) error {
	s, err := e.log(r.Log)
	if err != nil {
		return err
	}
	if err := e.tx.Delete(tableRec, recKey(r.Log, r.N)); err != nil {
		return err
	}
	if numberAt(e.tx, r.Slot, r.Log) == r.N {
		if err := e.tx.Delete(tableSlot, slotKey(r.Slot, r.Log)); err != nil {
			return err
		}
	}
	s.sum, s.count = s.sum.minus(r.hash), s.count-1
	e.changed(r.Slot)
	return nil
}

func (e *edit) changed(s Slot) {
	if !Reserved(s) {
		e.slots[s] = struct{}{}
	}
}

// recount finds a log's m anew, after its highest record may have been removed.
func (e *edit) recount(l Log) error {
	s, err := e.log(l)
	if err != nil {
		return err
	}
	s.m = 0
	k := l.key()
	eachPrefix(e.tx, tableRec, k[:], nil, func(k, _ []byte) bool {
		s.m = cutNumber(k[logSize:])
		return true
	})
	return nil
}

// finish writes the logs' states and tells who asked what changed.
func (e *edit) finish() error {
	for l, s := range e.logs {
		k := l.key()
		var err error
		if s.count == 0 {
			err = e.tx.Delete(tableLog, k[:])
		} else {
			err = e.tx.Put(tableLog, k[:], s.encode())
		}
		if err != nil {
			return err
		}
	}
	if len(e.slots) == 0 || e.r.cfg.Changed == nil {
		return nil
	}
	slots := make([]Slot, 0, len(e.slots))
	for s := range e.slots {
		slots = append(slots, s)
	}
	// Ascending, so that what follows goes through each page of a table once.
	slices.SortFunc(slots, func(a, b Slot) int { return bytes.Compare(a[:], b[:]) })
	return e.r.cfg.Changed(e.tx, slots)
}
