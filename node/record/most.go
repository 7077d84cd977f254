package record

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/replica"
)

// Members share the room of a kind with a bound (Kind.Most): each has as much, so that
// nobody can fill that of others. What counts of a member that wrote too much depends
// on its own records alone, which all nodes have alike: its earliest by (clock, slot).
// The latest would be another choice, and is where a kind asks for it (Kind.Newest), but
// then each new record changes what others show.

// share is what one member holds of one kind.
type share struct {
	count int
	last  []byte // the place (clock ‖ slot) of the last that counts; of Newest the first; nil: all do
}

// counts tells whether what is at a place does.
func (s share) counts(k Kind, at []byte) bool {
	if s.last == nil {
		return true
	}
	if k.Newest {
		return bytes.Compare(at, s.last) >= 0
	}
	return bytes.Compare(at, s.last) <= 0
}

// spot is where a record is in the order of a share.
func spot(c Clock, slot replica.Slot) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 40), uint64(c)), slot[:]...)
}

// share reads what a member, whose name with the kind is of, holds.
func (x index) share(of []byte) share {
	b := x.shares.Get(of)
	if len(b) < 8 {
		return share{}
	}
	s := share{count: int(binary.BigEndian.Uint64(b))}
	if len(b) > 8 {
		s.last = bytes.Clone(b[8:])
	}
	return s
}

func (x index) setShare(of []byte, s share) error {
	return x.shares.Put(of, append(binary.BigEndian.AppendUint64(nil, uint64(s.count)), s.last...))
}

// holder is whose record is in a slot, and its clock.
type holder struct {
	author ident.PublicKey
	clock  Clock
}

const holderSize = 32 + 8

// holders are the members that have a value in a slot, as the index has it.
func (x index) holders(slot replica.Slot) (out []holder) {
	for b := x.holds.Get(slot[:]); len(b) >= holderSize; b = b[holderSize:] {
		out = append(out, holder{ident.PublicKey(b[:32]), Clock(binary.BigEndian.Uint64(b[32:]))})
	}
	return out
}

// holdersOf are the members that have a value in a slot, of whom each one's latest
// counts. A deletion takes no room.
func holdersOf(all []opened) (out []holder) {
	for _, o := range all {
		latest := true
		for _, p := range all {
			latest = latest && (p.entry.Author != o.entry.Author || p.Clock <= o.Clock)
		}
		h := holder{o.entry.Author, o.Clock}
		if latest && !o.Deleted && !contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func contains(list []holder, h holder) bool {
	for _, o := range list {
		if o == h {
			return true
		}
	}
	return false
}

// shifts follows the shares that a transaction changes.
type shifts struct {
	x    index
	kind map[string]Kind  // by the name of kind and author
	was  map[string]share // as they were
	deep map[string]bool  // among what counted
}

func (x index) shifts() *shifts {
	return &shifts{x: x, kind: make(map[string]Kind), was: make(map[string]share), deep: make(map[string]bool)}
}

// hold brings the shares of a bounded kind up to what a slot holds.
func (m *shifts) hold(k Kind, slot replica.Slot, all []opened) error {
	had, has := m.x.holders(slot), holdersOf(all)
	var list []byte
	for _, h := range has {
		list = append(list, h.author[:]...)
		list = binary.BigEndian.AppendUint64(list, uint64(h.clock))
		if !contains(had, h) {
			if err := m.move(k, slot, h, 1); err != nil {
				return err
			}
		}
	}
	for _, h := range had {
		if !contains(has, h) {
			if err := m.move(k, slot, h, -1); err != nil {
				return err
			}
		}
	}
	switch {
	case bytes.Equal(list, m.x.holds.Get(slot[:])):
		return nil
	case len(list) == 0:
		return m.x.holds.Delete(slot[:])
	}
	return m.x.holds.Put(slot[:], list)
}

// move puts one record into its author's share, or takes it out.
func (m *shifts) move(k Kind, slot replica.Slot, h holder, by int) error {
	of := nameOf(k.Name, string(h.author[:]))
	s := m.x.share(of)
	if _, known := m.was[string(of)]; !known {
		m.was[string(of)], m.kind[string(of)] = s, k
	}
	at := spot(h.clock, slot)
	if s.last != nil && s.counts(k, at) {
		m.deep[string(of)] = true
	}
	s.count += by
	name := append(bytes.Clone(of), at...)
	if by > 0 {
		return errors.Join(m.x.held.Put(name, []byte{}), m.x.setShare(of, s))
	}
	return errors.Join(m.x.held.Delete(name), m.x.setShare(of, s))
}

// settle works out anew what counts of the members whose shares changed. It returns the
// slots where that is not what it was.
func (m *shifts) settle() (changed []replica.Slot, err error) {
	for of, was := range m.was {
		s, k := m.x.share([]byte(of)), m.kind[of]
		switch {
		case s.count <= k.Most:
			s.last = nil
		case was.last == nil || m.deep[of]:
			s.last = m.x.edge([]byte(of), k)
		}
		if bytes.Equal(s.last, was.last) {
			continue
		}
		if err := m.x.setShare([]byte(of), s); err != nil {
			return nil, err
		}
		changed = append(changed, m.x.between([]byte(of), k, was.last, s.last)...)
	}
	return changed, nil
}

// edge is the place of the last of a share that counts, or of a kind's Newest the first.
func (x index) edge(of []byte, k Kind) (at []byte) {
	n := k.Most
	step := func(name, _ []byte) bool {
		n--
		if at = nil; n == 0 {
			at = bytes.Clone(name[len(of):])
		}
		return n > 0
	}
	if k.Newest {
		x.held.Descend(after(of), func(name, v []byte) bool {
			if !bytes.HasPrefix(name, of) {
				return bytes.Compare(name, of) > 0
			}
			return step(name, v)
		})
	} else {
		x.held.AscendPrefix(of, step)
	}
	return at
}

// between are the slots of a share that count with one of two edges and not with the
// other; nil is that with which all do.
func (x index) between(of []byte, k Kind, a, b []byte) (out []replica.Slot) {
	one, other := share{last: a}, share{last: b}
	from := a // of the two the lower one: nothing before it is other than it was
	if bytes.Compare(b, a) < 0 {
		from = b
	}
	if !k.Newest && (a == nil || b == nil) {
		from = append(bytes.Clone(a), b...)
	}
	x.held.Ascend(append(bytes.Clone(of), from...), func(name, _ []byte) bool {
		at, mine := bytes.CutPrefix(name, of)
		if !mine || k.Newest && one.counts(k, at) && other.counts(k, at) || !k.Newest && !one.counts(k, at) && !other.counts(k, at) {
			return false
		}
		if len(at) == 40 && one.counts(k, at) != other.counts(k, at) {
			out = append(out, replica.Slot(at[8:]))
		}
		return true
	})
	return out
}

// within leaves out what is more than its author may hold.
func (x index) within(k Kind, slot replica.Slot, all []opened) []opened {
	if k.Most == 0 {
		return all
	}
	var in []opened
	for _, o := range all {
		if o.Deleted || x.share(nameOf(k.Name, string(o.entry.Author[:]))).counts(k, spot(o.Clock, slot)) {
			in = append(in, o)
		}
	}
	return in
}

// room refuses a value in one more slot to a member who has written in as many as it may.
func (x index) room(k Kind, slot replica.Slot, self ident.PublicKey) error {
	if k.Most == 0 || k.Newest {
		return nil
	}
	for _, h := range x.holders(slot) {
		if h.author == self {
			return nil
		}
	}
	if n := x.share(nameOf(k.Name, string(self[:]))).count; n >= k.Most {
		return op.Errorf(op.TooLarge, "you have written %d keys of %s in this mesh, the limit for each member is %d", n, k.Name, k.Most).
			WithHint("write one of the keys that you have written already")
	}
	return nil
}
