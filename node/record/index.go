package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store"
)

// What the Book keeps of each mesh beside the replica, in the bucket "book" / mesh id:
//
//	key/KIND 0x00 KEY       slot: the keys of which records can be read
//	slot/SLOT               the same by slot, and what it was last seen to show
//	sealed/EPOCH SLOT       empty: slots with records of an epoch whose key is missing
//	later/CLOCK SLOT        empty: slots with records from the future
//	waits/SLOT              the keys that the slot has in sealed and later, but for
//	                        the slot: 32 bytes of an epoch or 8 of a clock each, with
//	                        a byte of their length before
//	beaten/SLOT             8 bytes: since when, by mesh time in ms, an own record
//	                        there has been beaten
//	held/KIND 0x00 AUTHOR CLOCK SLOT
//	                        empty: the values of each member, of kinds with a bound
//	holds/SLOT              the same by slot: 32 bytes of an author and 8 of a clock each
//	shares/KIND 0x00 AUTHOR 8 bytes of how many these are; if that is too many, the
//	                        CLOCK SLOT of the last that counts, or of the first of a
//	                        kind whose newest do
//	bounded                 the names of the kinds of which these three are kept
//	stood/AUTHOR            32 bytes: a hash of what the admin log said of an author, by
//	                        its blind key, when its records were looked at last
//	clock                   8 bytes: the highest clock that moves the own ones
const bucketBook = "book"

// index is one mesh's, inside a transaction.
type index struct {
	root, keys, slots, sealed, later, waits, beaten, held, holds, shares, stood *store.Bucket
}

func openIndex(tx *store.Tx, mesh ident.MeshID) index {
	root := tx.Bucket(bucketBook, mesh.String())
	return index{
		root: root, keys: root.Bucket("key"), slots: root.Bucket("slot"), sealed: root.Bucket("sealed"),
		later: root.Bucket("later"), waits: root.Bucket("waits"), beaten: root.Bucket("beaten"),
		held: root.Bucket("held"), holds: root.Bucket("holds"), shares: root.Bucket("shares"), stood: root.Bucket("stood"),
	}
}

var (
	keyClock   = []byte("clock")
	keyBounded = []byte("bounded")
)

// nameOf is a key's place in the index.
func nameOf(kind, key string) []byte {
	return append(append(append(make([]byte, 0, len(kind)+1+len(key)), kind...), 0), key...)
}

// cutName is the reverse of nameOf.
func cutName(name []byte) (kind, key string, ok bool) {
	return strings.Cut(string(name), "\x00")
}

// at is what is known of a slot.
func (x index) at(slot replica.Slot) (place, bool) {
	b := x.slots.Get(slot[:])
	if b == nil {
		return place{}, false
	}
	return decodePlace(b)
}

// put makes a slot's key findable and keeps what it shows.
func (x index) put(slot replica.Slot, p place) error {
	if name := nameOf(p.kind, p.key); x.keys.Get(name) == nil {
		if err := x.keys.Put(name, slot[:]); err != nil {
			return err
		}
	}
	is := p.encode()
	if bytes.Equal(x.slots.Get(slot[:]), is) {
		return nil
	}
	return x.slots.Put(slot[:], is)
}

// forget takes out a key of which no record is left that can be read.
func (x index) forget(kind, key string, slot replica.Slot) error {
	return errors.Join(x.keys.Delete(nameOf(kind, key)), x.slots.Delete(slot[:]))
}

// each calls fn for the keys of a kind that begin with prefix, ascending.
func (x index) each(kind, prefix string, fn func(key string, slot replica.Slot) bool) {
	head := len(kind) + 1
	x.keys.AscendPrefix(nameOf(kind, prefix), func(name, slot []byte) bool {
		if len(slot) != 32 {
			return true
		}
		return fn(string(name[head:]), replica.Slot(slot))
	})
}

// waitFor notes a slot for when the keys of these epochs come and these clocks are no
// longer ahead, and for nothing else: what it waited for before may have been
// overwritten, however often.
func (x index) waitFor(slot replica.Slot, epochs []ident.ID, clocks []Clock) error {
	var names [][]byte
	for _, e := range epochs {
		names = append(names, e[:])
	}
	for _, c := range clocks {
		names = append(names, binary.BigEndian.AppendUint64(nil, uint64(c)))
	}
	var list []byte
	for _, n := range names {
		list = append(append(list, byte(len(n))), n...)
		if err := put(x.waiters(n), append(bytes.Clone(n), slot[:]...)); err != nil {
			return err
		}
	}
	was := bytes.Clone(x.waits.Get(slot[:]))
	if bytes.Equal(was, list) {
		return nil
	}
	for len(was) > 0 && int(was[0]) < len(was) {
		n := was[1 : 1+was[0]]
		if !slices.ContainsFunc(names, func(o []byte) bool { return bytes.Equal(o, n) }) {
			if err := x.waiters(n).Delete(append(bytes.Clone(n), slot[:]...)); err != nil {
				return err
			}
		}
		was = was[1+len(n):]
	}
	if len(list) == 0 {
		return x.waits.Delete(slot[:])
	}
	return x.waits.Put(slot[:], list)
}

// waiters are those who wait for what has this name, an epoch or a clock.
func (x index) waiters(name []byte) *store.Bucket {
	if len(name) == len(ident.ID{}) {
		return x.sealed
	}
	return x.later
}

// unwaited takes out, and returns, the slots that wait for the key of an epoch, at
// most limit of them.
func (x index) unwaited(epoch ident.ID, limit int) ([]replica.Slot, error) {
	return x.take(x.sealed, epoch[:], limit, nil)
}

// waiting lists the epochs whose keys are waited for.
func (x index) waiting() []ident.ID {
	var out []ident.ID
	for from := []byte(nil); ; {
		var epoch *ident.ID
		x.sealed.Ascend(from, func(k, _ []byte) bool {
			if len(k) == 64 {
				e := ident.ID(k[:32])
				epoch = &e
			}
			return epoch == nil
		})
		if epoch == nil {
			return out
		}
		out = append(out, *epoch)
		from = after(epoch[:])
		if from == nil {
			return out
		}
	}
}

// after is the first key of the same length behind all that begin with prefix, nil if
// there is none.
func after(prefix []byte) []byte {
	out := append([]byte(nil), prefix...)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i]++; out[i] != 0 {
			return out
		}
	}
	return nil
}

// due takes out, and returns, the slots of which a record's time has come, at most
// limit of them.
func (x index) due(now Clock, limit int) ([]replica.Slot, error) {
	return x.take(x.later, nil, limit, func(k []byte) bool { return binary.BigEndian.Uint64(k) <= uint64(now) })
}

// next is the lowest clock that is waited for.
func (x index) next() (c Clock, ok bool) {
	x.later.Ascend(nil, func(k, _ []byte) bool {
		if len(k) == 40 {
			c, ok = Clock(binary.BigEndian.Uint64(k)), true
		}
		return !ok
	})
	return c, ok
}

// take removes up to limit keys that begin with prefix, as long as they are wanted, and
// returns the slots they end with, once each.
func (index) take(b *store.Bucket, prefix []byte, limit int, wanted func(key []byte) bool) ([]replica.Slot, error) {
	var out []replica.Slot
	var gone [][]byte
	b.AscendPrefix(prefix, func(k, _ []byte) bool {
		if len(gone) >= limit || wanted != nil && !wanted(k) {
			return false
		}
		gone = append(gone, append([]byte(nil), k...))
		if len(k) >= 32 {
			out = append(out, replica.Slot(k[len(k)-32:]))
		}
		return true
	})
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// clock is the highest clock that moves the own ones.
func (x index) clock() Clock { return Clock(number(x.root.Get(keyClock))) }

// moved keeps a clock that moves the own ones.
func (x index) moved(c Clock) error {
	if c <= x.clock() {
		return nil
	}
	return x.root.Put(keyClock, binary.BigEndian.AppendUint64(nil, uint64(c)))
}

// put sets an empty value where there is none.
func put(b *store.Bucket, key []byte) error {
	if b.Get(key) != nil {
		return nil
	}
	return b.Put(key, []byte{})
}

// number reads 8 bytes; anything else is 0.
func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
