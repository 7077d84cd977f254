package inbox

import (
	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

// Hold quarantines what waits of one sender, as far as which says so.
func (b Box) Hold(mesh ident.MeshID, from ident.PublicKey, which func(Entry, letter.Message) bool) error {
	var waiting []Entry
	var err error
	b.open.AscendPrefix(mesh[:], func(k, v []byte) bool {
		if len(k) != 60 {
			err = ErrBroken
			return false
		}
		var e Entry
		if e, err = b.opened(mesh, ident.PublicKey(k[20:52]), v); err == nil && e.Origin == from && e.State == delivery.Waiting {
			waiting = append(waiting, e)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, e := range waiting {
		m, err := b.Text(e)
		if err != nil {
			return err
		}
		if !which(e, m) {
			continue
		}
		if _, _, err := b.Happen(e, delivery.Held, ident.PublicKey{}, 0); err != nil {
			return err
		}
	}
	return nil
}

// Release looks at up to max entries of a mesh behind a place (nil: the first), and has
// what is quarantined of one sender wait again, as far as which says so. It returns how
// many did, and the place to go on from, nil at the end.
func (b Box) Release(mesh ident.MeshID, from ident.PublicKey, behind []byte, max int, which func(letter.Message) bool) (n int, next []byte, err error) {
	if behind == nil {
		behind = mesh[:]
	}
	all, next, err := b.entries(append(behind[:len(behind):len(behind)], 0), mesh[:], max)
	if err != nil {
		return 0, nil, err
	}
	for _, e := range all {
		if e.Origin != from || e.State != delivery.Quarantined || e.Size == 0 {
			continue
		}
		m, err := b.Text(e)
		if err != nil {
			return 0, nil, err
		}
		if !which(m) {
			continue
		}
		if _, _, err := b.Happen(e, delivery.Freed, ident.PublicKey{}, 0); err != nil {
			return 0, nil, err
		}
		n++
	}
	return n, next, nil
}
