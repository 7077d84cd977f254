package replica

import (
	"bytes"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Slot gives the live records of a slot whose authors count, by author and
// incarnation.
func (r *Replica) Slot(tx Tx, slot Slot) (out []Record, err error) {
	eachPrefix(tx, tableSlot, slot[:], nil, func(k, v []byte) bool {
		l := cutLog(k[len(slot):])
		if !r.cfg.Authors.Standing(l.Author).counts() {
			return true
		}
		var rec Record
		var ok bool
		if rec, ok, err = recordAt(tx, l, cutNumber(v)); ok {
			out = append(out, rec)
		}
		return err == nil
	})
	return out, err
}

// Slots calls fn for each slot with live records from the first one ≥ from on,
// ascending, until it returns false. Reserved slots are left out.
func (r *Replica) Slots(tx Tx, from Slot, fn func(Slot) bool) {
	var last Slot
	some := false
	tx.Ascend(tableSlot, from[:], func(k, _ []byte) bool {
		if some && bytes.HasPrefix(k, last[:]) {
			return true
		}
		last, some = Slot(k[:len(last)]), true
		return Reserved(last) || fn(last)
	})
}

// SlotsOf calls fn for the slot of each record that is held of an author, whether it
// counts or not, in the order of its logs, until it returns false. It goes on behind
// the place after, nil at first; fn gets the place of each. Reserved slots are left out.
func (r *Replica) SlotsOf(tx Tx, author ident.PublicKey, after []byte, fn func(slot Slot, place []byte) bool) (err error) {
	from := after
	if after != nil {
		from = append(bytes.Clone(after), 0)
	}
	eachPrefix(tx, tableRec, author[:], from, func(k, raw []byte) bool {
		var rec Record
		if rec, err = parse(raw); err != nil {
			return false
		}
		return Reserved(rec.Slot) || fn(rec.Slot, k[len(author):])
	})
	return err
}
