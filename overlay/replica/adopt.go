package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// adoptAtOnce is how many records Adopt writes in one transaction.
const adoptAtOnce = 500

// errLeftOut ends the writing of a record that a Reseal drops.
var errLeftOut = errors.New("left out")

// Reseal makes the ciphertext of a record that is written anew under header h, whose
// epoch it may change before it takes AAD(*h). A nil ciphertext without error leaves
// the record out.
type Reseal func(old Record, h *Header) ([]byte, error)

// Pending tells whether Adopt has something to do: other incarnations of the own log
// are live, or records of it came that this replica did not write.
func (r *Replica) Pending(tx Tx) (pending bool, err error) {
	self := r.cfg.Self
	own, ok := ownInc(tx)
	if ok && forkNoted(tx, own) {
		return true, nil
	}
	err = eachLog(tx, self[:], func(l Log, _ state) bool {
		pending = pending || l.Inc != own
		return !pending
	})
	if err != nil || pending {
		return pending, err
	}
	var failed error
	err = eachOld(tx, self, nil, func(_ []byte, rec Record) bool {
		var over bool
		over, failed = superseded(tx, rec)
		pending = !over
		return failed == nil && !pending
	})
	return pending, firstError(err, failed)
}

// forkNoted tells whether the own log of this incarnation is known to have forked.
func forkNoted(tx Tx, inc uint64) bool {
	b := tx.Get(tableMeta, []byte(metaFork))
	return len(b) == 8 && cutNumber(b) == inc
}

// Adopt takes over what others hold of the own author and this replica did not write,
// after a restore or the life of a copy. If the own log itself has such records it
// opens a new incarnation. It writes anew what is later than the own records of the
// same slots, with their clocks, and marks older incarnations replaced, whereupon all
// drop them. Exchange with everybody in reach first. It may be called at any time, also
// after a failure, and does nothing if nothing is pending. It gives how many records
// it wrote.
func (r *Replica) Adopt(ctx context.Context, key ident.PrivateKey, reseal Reseal) (adopted int, err error) {
	if key.IsZero() || key.Public() != r.cfg.Self {
		return 0, fmt.Errorf("%w: not the own key", ErrRecord)
	}
	a := adoption{key: key, reseal: reseal}
	for more := true; more; {
		var after progress
		err := r.cfg.Disk.Update(ctx, func(tx Tx) error {
			e := r.edit(tx)
			var err error
			if after, err = a.step(e); err != nil {
				return err
			}
			return e.finish()
		})
		if err != nil {
			return adopted, err
		}
		adopted, a.from, more = adopted+after.wrote, after.at, after.more
	}
	return adopted, nil
}

// adoption is one run of Adopt.
type adoption struct {
	key    ident.PrivateKey
	reseal Reseal
	from   position
}

// position is a place in the tables of records and evidence.
type position struct {
	old bool   // in the evidence
	at  []byte // the key to go on with, behind the author
}

// progress is what one transaction of an adoption came to.
type progress struct {
	wrote int
	at    position
	more  bool
}

// step writes up to adoptAtOnce records. A pass that went over everything in one
// transaction marks and cleans up in the same.
func (a *adoption) step(e *edit) (progress, error) {
	pending, err := e.r.Pending(e.tx)
	if err != nil || !pending {
		return progress{}, err
	}
	l, err := e.open()
	if err != nil {
		return progress{}, err
	}
	p, err := a.pass(e, l)
	if err != nil || p.more {
		return p, err
	}
	if a.from.old || a.from.at != nil {
		p.more = true // from the start, for what came meanwhile
		return p, nil
	}
	return p, a.close(e, l)
}

// open gives the log to write to: a new incarnation if the own log has records that
// this replica did not write.
func (e *edit) open() (Log, error) {
	self := e.r.cfg.Self
	own, ok := ownInc(e.tx)
	forked := ok && forkNoted(e.tx, own)
	var failed error
	err := eachOld(e.tx, self, number(own), func(_ []byte, r Record) bool {
		if r.Log.Inc != own || forked {
			return false
		}
		var over bool
		over, failed = superseded(e.tx, r)
		forked = ok && !over
		return failed == nil && !forked
	})
	if err := firstError(err, failed); err != nil {
		return Log{}, err
	}
	if !forked {
		inc, err := e.inc()
		return Log{Author: self, Inc: inc}, err
	}
	highest, err := e.highest()
	if err != nil {
		return Log{}, err
	}
	l := Log{Author: self, Inc: e.next(highest)}
	return l, e.tx.Put(tableMeta, []byte(metaInc), number(l.Inc))
}

// pass writes anew what is later than the log's own records.
func (a *adoption) pass(e *edit, l Log) (p progress, err error) {
	self := e.r.cfg.Self
	visit := func(old bool, key []byte, r Record) bool {
		if p.wrote >= adoptAtOnce {
			p.more, p.at = true, position{old: old, at: bytes.Clone(key[len(self):])}
			return false
		}
		var wrote bool
		if wrote, err = a.write(e, l, r); wrote {
			p.wrote++
		}
		return err == nil
	}
	var failed error
	if !a.from.old {
		eachPrefix(e.tx, tableRec, self[:], a.from.at, func(k, raw []byte) bool {
			var r Record
			r, failed = stored(raw)
			return failed == nil && r.Log.Inc < l.Inc && visit(false, k, r)
		})
	}
	if p.more || firstError(err, failed) != nil {
		return p, firstError(err, failed)
	}
	var at []byte
	if a.from.old {
		at = a.from.at
	}
	failed = eachOld(e.tx, self, at, func(k []byte, r Record) bool { return visit(true, k, r) })
	return p, firstError(err, failed)
}

// write writes one record anew, unless the log has one as late in its slot.
func (a *adoption) write(e *edit, l Log, old Record) (bool, error) {
	if Reserved(old.Slot) {
		return false, nil
	}
	if n := numberAt(e.tx, old.Slot, l); n > 0 {
		have, _, err := recordAt(e.tx, l, n)
		if err != nil || have.Clock >= old.Clock {
			return false, err
		}
	}
	wrote := true
	h := Header{Log: l, Slot: old.Slot, Clock: old.Clock, Epoch: old.Epoch, Deleted: old.Deleted}
	_, err := e.append(a.key, h, func(h *Header) ([]byte, error) {
		cipher, err := a.reseal(old, h)
		if err == nil && cipher == nil {
			err = errLeftOut
		}
		return cipher, err
	})
	if errors.Is(err, errLeftOut) {
		wrote, err = false, nil
	}
	return wrote, err
}

// close marks the incarnations below l replaced and forgets the own evidence.
func (a *adoption) close(e *edit, l Log) error {
	if floorOf(e.tx, l.Author) < l.Inc {
		_, err := e.append(a.key, Header{Log: l, Slot: slotMark, Clock: ClockAt(e.now)},
			func(*Header) ([]byte, error) { return nil, nil })
		if err != nil {
			return err
		}
	}
	e.foreign = false
	var failed error
	err := eachOld(e.tx, l.Author, nil, func(k []byte, _ Record) bool {
		failed = e.unstage(bytes.Clone(k))
		return failed == nil
	})
	return firstError(err, failed)
}

// mark drops the incarnations of an author below that of a mark. What nothing later
// stands for goes to the evidence: the author may never have seen it.
func (e *edit) mark(r Record) error {
	author := r.Log.Author
	if floorOf(e.tx, author) >= r.Log.Inc {
		return nil
	}
	if err := e.tx.Put(tableMeta, metaKey(metaFloor, author[:]), number(r.Log.Inc)); err != nil {
		return err
	}
	var logs []Log
	if err := eachLog(e.tx, author[:], func(l Log, _ state) bool {
		logs = append(logs, l)
		return true
	}); err != nil {
		return err
	}
	for l := range e.logs { // those that came in this transaction
		if l.Author == author && !slices.Contains(logs, l) {
			logs = append(logs, l)
		}
	}
	for _, l := range logs {
		if l.Inc >= r.Log.Inc {
			continue
		}
		if err := e.drop(l); err != nil {
			return err
		}
	}
	return nil
}

// drop takes a whole log out of the live sets.
func (e *edit) drop(l Log) error {
	var failed error
	err := eachRecord(e.tx, l, 0, func(r Record) bool {
		if failed = e.remove(r); failed == nil {
			failed = e.evidence(r)
		}
		return failed == nil
	})
	return firstError(err, failed)
}
