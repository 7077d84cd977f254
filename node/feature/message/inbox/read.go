package inbox

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Reader is who looks: a session of a member.
type Reader struct {
	Mesh    ident.MeshID
	Session ident.PublicKey
	Member  ident.PublicKey
}

// may tells whether r may ever see e.
func (r Reader) may(e Entry) bool {
	switch e.Address {
	case r.Session:
		return true
	case r.Member:
		return e.Session != r.Session && (e.Taker.IsZero() || e.Taker == r.Session)
	}
	return false
}

// Open lists the entries of one address that are not read, by arrival.
func (b Box) Open(mesh ident.MeshID, address ident.PublicKey) (entries []Entry, err error) {
	prefix := openKey(mesh, address, 0)[:52]
	b.open.AscendPrefix(prefix, func(k, v []byte) bool {
		var e Entry
		if e, err = b.opened(mesh, address, v); err == nil {
			entries = append(entries, e)
		}
		return err == nil
	})
	return entries, err
}

func (b Box) opened(mesh ident.MeshID, address ident.PublicKey, v []byte) (Entry, error) {
	k, err := keyOf(mesh, append(append(make([]byte, 0, pointKey), address[:]...), v...))
	if err != nil {
		return Entry{}, err
	}
	e, ok, err := b.Get(k)
	if err == nil && !ok {
		err = ErrBroken
	}
	return e, err
}

// Showable lists what waits at one address and may be shown now, in the order of
// showing, and when the first of the rest may be (0: none).
func (b Box) Showable(mesh ident.MeshID, address ident.PublicKey, age time.Duration) ([]Entry, time.Duration, error) {
	all, err := b.Open(mesh, address)
	if err != nil {
		return nil, 0, err
	}
	waiting := all[:0]
	var items []delivery.Item
	for _, e := range all {
		if e.State == delivery.Waiting {
			waiting = append(waiting, e)
			items = append(items, b.item(e))
		}
	}
	order, next := delivery.Arrange(items, age)
	show := make([]Entry, len(order))
	for n, i := range order {
		show[n] = waiting[i]
	}
	return show, next, nil
}

func (b Box) item(e Entry) delivery.Item {
	prev, has := b.before(e.Key, e.Priority, e.Prev)
	return delivery.Item{
		Line: delivery.Line{Origin: e.Origin, Priority: e.Priority},
		Ord:  e.Ord, Prev: prev, Seq: e.Seq, HasPrev: has,
		Until: e.Age + delivery.Patience,
	}
}

// before finds what is before an entry in its own line, and whether the inbox has, or
// had, it. A message to many that came before need not have been for this session: then
// what was before that one counts.
func (b Box) before(k Key, p delivery.Priority, ord uint64) (prev uint64, has bool) {
	home := k
	home.Address = ident.PublicKey{}
	for ord != 0 {
		if b.line.Get(lineKey(k, p, ord)) != nil {
			return ord, true
		}
		v := b.line.Get(lineKey(home, p, ord))
		if len(v) != 16 {
			return ord, false
		}
		next := binary.BigEndian.Uint64(v[8:])
		if next >= ord {
			break
		}
		ord = next
	}
	return 0, false
}

// Followed tells whether something of a line has come that is behind an ord.
func (b Box) Followed(k Key, p delivery.Priority, ord uint64) bool {
	line, found := lineKey(k, p, ord), false
	b.line.Ascend(append(line[:len(line):len(line)], 0), func(k, _ []byte) bool {
		found = len(k) == len(line) && bytes.Equal(k[:85], line[:85])
		return false
	})
	return found
}

// Alone tells that a new entry neither waits for another of its line nor has to
// be shown with others: it may be shown without a look at the rest.
func (b Box) Alone(e Entry) (bool, error) {
	line := lineKey(e.Key, e.Priority, e.Ord)
	same := func(k []byte) bool { return len(k) == len(line) && bytes.Equal(k[:85], line[:85]) }
	if b.Followed(e.Key, e.Priority, e.Ord) {
		return false, nil
	}
	// Something later than the one before it is not enough: that may have come without it.
	if e.Prev != 0 && b.line.Get(lineKey(e.Key, e.Priority, e.Prev)) == nil {
		return false, nil
	}
	var before, seq uint64
	b.line.Descend(lineKey(e.Key, e.Priority, e.Ord-1), func(k, v []byte) bool {
		if same(k) && len(v) == 8 {
			before, seq = binary.BigEndian.Uint64(k[85:]), binary.BigEndian.Uint64(v)
		}
		return false
	})
	point := b.open.Get(openKey(e.Mesh, e.Address, seq))
	if before == 0 || point == nil {
		return true, nil
	}
	p, err := b.opened(e.Mesh, e.Address, point)
	return err == nil && p.State != delivery.Waiting, err
}

// Waiting lists what r may be shown now, by arrival and in the order of showing.
func (b Box) Waiting(r Reader, age time.Duration) ([]Entry, error) {
	own, _, err := b.Showable(r.Mesh, r.Session, age)
	if err != nil {
		return nil, err
	}
	shared, _, err := b.Showable(r.Mesh, r.Member, age)
	if err != nil {
		return nil, err
	}
	return merge(own, shared, r), nil
}

// merge joins two lists by arrival without changing the order within either.
func merge(own, shared []Entry, r Reader) []Entry {
	out := make([]Entry, 0, len(own)+len(shared))
	for len(own)+len(shared) > 0 {
		var e Entry
		if len(shared) == 0 || len(own) > 0 && own[0].Seq < shared[0].Seq {
			e, own = own[0], own[1:]
		} else {
			e, shared = shared[0], shared[1:]
		}
		if r.may(e) {
			out = append(out, e)
		}
	}
	return out
}

// Unconfirmed lists what was pushed to r and of which nothing shows that it was
// seen, by arrival.
func (b Box) Unconfirmed(r Reader) ([]Entry, error) {
	var out []Entry
	for _, address := range []ident.PublicKey{r.Session, r.Member} {
		open, err := b.Open(r.Mesh, address)
		if err != nil {
			return nil, err
		}
		for _, e := range open {
			if e.State == delivery.Offered && e.Taker == r.Session && r.may(e) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// Find lists the entries with that id that r has been or may be shown, whoever
// sent them.
func (b Box) Find(r Reader, id letter.ID) (entries []Entry, err error) {
	for _, address := range []ident.PublicKey{r.Session, r.Member} {
		prefix := Key{Mesh: r.Mesh, Address: address, ID: id}.bytes()[:68]
		b.record.AscendPrefix(prefix, func(k, v []byte) bool {
			var e Entry
			var is bool
			if e, is, err = record(k, v); err != nil {
				return false
			}
			if is && r.may(e) && e.State != delivery.Quarantined {
				entries = append(entries, e)
			}
			return true
		})
	}
	return entries, err
}
