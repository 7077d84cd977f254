package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// MaxTrim is how many records one Trim takes out.
const MaxTrim = 5000

// trimHash is how many bytes of a record's hash a trim names.
const trimHash = 8

// Write is what Append makes a record of.
type Write struct {
	Slot    Slot
	Clock   Clock // NextClock gives it
	Epoch   ident.ID
	Deleted bool
	// Seal makes the ciphertext; AAD(h) is what to bind it to. It is called once per
	// run of the transaction.
	Seal func(h Header) ([]byte, error)
}

// Append writes a record to the own log. It fails with ErrTooLarge, ErrFull,
// ErrReserved, ErrRecord for a key that is not the own one, or what Seal returned.
func (r *Replica) Append(tx Tx, key ident.PrivateKey, w Write) (Record, error) {
	if Reserved(w.Slot) {
		return Record{}, ErrReserved
	}
	e, l, err := r.begin(tx, key)
	if err != nil {
		return Record{}, err
	}
	rec, err := e.append(key, Header{Log: l, Slot: w.Slot, Clock: w.Clock, Epoch: w.Epoch, Deleted: w.Deleted},
		func(h *Header) ([]byte, error) { return w.Seal(*h) })
	if err != nil {
		return Record{}, err
	}
	return rec, e.finish()
}

// begin makes ready to write to the own log.
func (r *Replica) begin(tx Tx, key ident.PrivateKey) (*edit, Log, error) {
	if key.IsZero() || key.Public() != r.cfg.Self {
		return nil, Log{}, fmt.Errorf("%w: not the own key", ErrRecord)
	}
	e := r.edit(tx)
	inc, err := e.inc()
	return e, Log{Author: r.cfg.Self, Inc: inc}, err
}

// inc is the incarnation to write to. It is a new one if there is none yet, or if a
// higher one of this author exists: that was another copy's.
func (e *edit) inc() (uint64, error) {
	highest, err := e.highest()
	if err != nil {
		return 0, err
	}
	own, ok := ownInc(e.tx)
	if ok && own >= highest {
		return own, nil
	}
	next := e.r.cfg.Inc
	if highest > 0 && next <= highest {
		next = e.next(highest)
	}
	return next, e.tx.Put(tableMeta, []byte(metaInc), number(next))
}

// next is an incarnation above all that were seen.
func (e *edit) next(highest uint64) uint64 {
	return min(max(highest+1, e.r.cfg.Inc, uint64(max(e.now.Unix(), 0))), maxNumber)
}

func ownInc(tx Tx) (uint64, bool) {
	b := tx.Get(tableMeta, []byte(metaInc))
	return cutNumber(b), len(b) == 8
}

// highest is the highest incarnation that the own author is known to have had.
func (e *edit) highest() (uint64, error) {
	self := e.r.cfg.Self
	top := floorOf(e.tx, self)
	err := eachLog(e.tx, self[:], func(l Log, _ state) bool {
		top = max(top, l.Inc)
		return true
	})
	eachPrefix(e.tx, tableOld, self[:], nil, func(k, _ []byte) bool {
		top = max(top, cutNumber(k[32:]))
		return true
	})
	return top, err
}

// append signs and puts the next record of an own log. seal may change the epoch.
func (e *edit) append(key ident.PrivateKey, h Header, seal func(*Header) ([]byte, error)) (Record, error) {
	s, err := e.log(h.Log)
	if err != nil {
		return Record{}, err
	}
	h.N = s.m + 1
	cipher, err := seal(&h)
	if err != nil {
		return Record{}, err
	}
	if len(cipher) > MaxCipher {
		return Record{}, fmt.Errorf("%w: ciphertext of %d bytes, at most %d", ErrTooLarge, len(cipher), MaxCipher)
	}
	h.Cipher = sha256.Sum256(cipher)
	body := h.body()
	h.Digest = s.sum.plus(hashBody(body, len(body)))
	if n := numberAt(e.tx, h.Slot, h.Log); n > 0 {
		beaten, _, err := recordAt(e.tx, h.Log, n)
		if err != nil {
			return Record{}, err
		}
		h.Digest = h.Digest.minus(beaten.hash)
	} else if s.count >= MaxLive {
		return Record{}, fmt.Errorf("%w: at most %d", ErrFull, MaxLive)
	}
	if h.Slot == slotTrim {
		gone, err := e.named(h.Log, h.N, cipher)
		if err != nil {
			return Record{}, err
		}
		for _, g := range gone {
			h.Digest = h.Digest.minus(g.hash)
		}
	}
	r, err := Make(key, h, cipher)
	if err != nil {
		return Record{}, err
	}
	_, err = e.put(r, true)
	return r, err
}

// Own calls fn for each live record of the own log, ascending by number, from the
// first one ≥ from on, until it returns false. Reserved slots are left out.
func (r *Replica) Own(tx Tx, from uint64, fn func(Record) bool) error {
	inc, ok := ownInc(tx)
	if !ok {
		return nil
	}
	return eachRecord(tx, Log{Author: r.cfg.Self, Inc: inc}, from, func(rec Record) bool {
		return Reserved(rec.Slot) || fn(rec)
	})
}

// Trim takes records of the own log out of all replicas, by their numbers: at most
// MaxTrim, else ErrTooLarge; numbers that are not live are ignored. Which are due is
// the caller's to decide: own records beaten for 30 days, own deletions 30 days old
// that beat nothing.
func (r *Replica) Trim(tx Tx, key ident.PrivateKey, clock Clock, numbers []uint64) error {
	if len(numbers) > MaxTrim {
		return fmt.Errorf("%w: %d records to trim, at most %d", ErrTooLarge, len(numbers), MaxTrim)
	}
	e, l, err := r.begin(tx, key)
	if err != nil {
		return err
	}
	var list []byte
	last := uint64(0)
	for _, n := range slices.Compact(slices.Sorted(slices.Values(numbers))) {
		rec, ok, err := recordAt(tx, l, n)
		if err != nil {
			return err
		}
		if !ok || Reserved(rec.Slot) {
			continue
		}
		list = binary.AppendUvarint(list, n-last)
		list = append(list, rec.hash[:trimHash]...)
		last = n
		if err := tx.Put(tableMeta, metaKey(metaTrim, recKey(l, n)), append(slices.Clone(rec.hash[:]), millis(e.now)...)); err != nil {
			return err
		}
	}
	if list == nil {
		return nil
	}
	if _, err := e.append(key, Header{Log: l, Slot: slotTrim, Clock: clock}, func(*Header) ([]byte, error) { return list, nil }); err != nil {
		return err
	}
	return e.finish()
}

// trim takes out what a trim record names.
func (e *edit) trim(r Record) error {
	gone, err := e.named(r.Log, r.N, r.cipher)
	if err != nil {
		return err
	}
	for _, g := range gone {
		if err := e.remove(g); err != nil {
			return err
		}
	}
	return nil
}

// named finds the live records below n that a trim's list names: (uvarint distance
// to the number before, 8 bytes of the hash) each, ascending. What follows a mistake
// in the list is left out.
func (e *edit) named(l Log, n uint64, list []byte) ([]Record, error) {
	var out []Record
	for at := uint64(0); len(out) < MaxTrim; {
		step, size := uvarint(list)
		if size == 0 || step == 0 || step >= n-at || len(list) < size+trimHash {
			return out, nil
		}
		at += step
		r, ok, err := recordAt(e.tx, l, at)
		if err != nil {
			return nil, err
		}
		if ok && !Reserved(r.Slot) && string(r.hash[:trimHash]) == string(list[size:size+trimHash]) {
			out = append(out, r)
		}
		list = list[size+trimHash:]
	}
	return out, nil
}
