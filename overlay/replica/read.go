package replica

import "bytes"

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
