package inbox_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/node/feature/message/delivery"
	"github.com/claudemesh/claudemesh/node/feature/message/inbox"
	"github.com/claudemesh/claudemesh/node/feature/message/letter"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

// An entry is shown without a look at the rest only if the one before it has come: one that
// came between the two, without waiting, does not stand in for it.
func TestAlone(t *testing.T) {
	entry := func(ord, prev uint64) inbox.Entry {
		return inbox.Entry{
			Key: inbox.Key{Mesh: ident.MeshID{1}, Address: ident.PublicKey{2}, ID: letter.ID{byte(ord)}, Origin: ident.PublicKey{3}},
			Ord: ord, Prev: prev, State: delivery.Waiting, Priority: delivery.Now,
		}
	}
	for name, c := range map[string]struct {
		come []inbox.Entry // and were shown
		last inbox.Entry
		want bool
	}{
		"the first":                     {nil, entry(5, 0), true},
		"the one before has come":       {[]inbox.Entry{entry(5, 0)}, entry(6, 5), true},
		"it has not":                    {nil, entry(6, 5), false},
		"it has not, one between has":   {[]inbox.Entry{entry(6, 0)}, entry(7, 5), false},
		"it has, and the one between":   {[]inbox.Entry{entry(5, 0), entry(6, 0)}, entry(7, 5), true},
		"a later one is there already":  {[]inbox.Entry{entry(8, 0)}, entry(7, 0), false},
		"another came, it waits for no": {[]inbox.Entry{entry(5, 0)}, entry(7, 0), true},
	} {
		t.Run(name, func(t *testing.T) {
			err := storetest.New(t).Update(t.Context(), func(tx *store.Tx) error {
				in := inbox.In(tx)
				for _, e := range c.come {
					e, err := in.Add(e, []byte("text"))
					if err == nil {
						_, _, err = in.Happen(e, delivery.Pulled, e.Address, 0)
					}
					if err != nil {
						return err
					}
				}
				e, err := in.Add(c.last, []byte("text"))
				if err != nil {
					return err
				}
				got, err := in.Alone(e)
				if got != c.want {
					t.Errorf("%v", got)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
