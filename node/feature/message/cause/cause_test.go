package cause

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/store/storetest"
)

func TestBox(t *testing.T) {
	db := storetest.New(t)
	session := ident.PublicKey{1}
	last := Shown{Cause: ID{2}, Depth: 3, At: time.UnixMilli(4), Age: 5, ID: [16]byte{6}, Origin: ident.PublicKey{7}, Session: ident.PublicKey{8}}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		b := In(tx)
		must("the first is not counted", b.Add(ID{2}, 0, 1))
		must("add", b.Add(ID{2}, 1, 1))
		must("add", b.Add(ID{2}, 2, 9))
		must("set", b.SetLast(session, last))
		first, err := b.Tell(ID{2}, session, 5)
		again, _ := b.Tell(ID{2}, session, 6)
		other, _ := b.Tell(ID{2}, ident.PublicKey{9}, 9)
		if n := b.Count(ID{2}); n != 2 || err != nil || !first || again || !other {
			t.Errorf("count %d, told %v %v %v, %v", n, first, again, other, err)
		}
		if got, ok := b.Last(session); !ok || got != last {
			t.Errorf("last %+v, %v", got, ok)
		}
		if _, ok := b.Last(ident.PublicKey{3}); ok {
			t.Error("something for nobody")
		}
		must("prune", b.Prune(5, 100))
		told, _ := b.Tell(ID{2}, ident.PublicKey{9}, 9)
		forgotten, _ := b.Tell(ID{2}, session, 9)
		if _, ok := b.Last(session); ok || told || !forgotten || b.Count(ID{2}) != 2 {
			t.Errorf("pruned: last %v, told %v, forgotten %v, count %d", ok, told, forgotten, b.Count(ID{2}))
		}
		return nil
	})
	must("update", err)
}

func FuzzShown(f *testing.F) {
	f.Add(Shown{Cause: ID{1}, Depth: 2, At: time.UnixMilli(3), Age: 4}.encode())
	f.Fuzz(func(t *testing.T, v []byte) {
		s, ok := decodeShown(v)
		if !ok {
			return
		}
		if again, ok := decodeShown(s.encode()); !ok || s.At.UnixMilli() >= 0 && again != s {
			t.Errorf("%+v became %+v", s, again)
		}
	})
}
