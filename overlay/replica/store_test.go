package replica

import "testing"

// The same on real disks: what one wrote the other has, in the same books.
func TestOnTheStore(t *testing.T) {
	keys, s := authors(3)
	one, two := openStore(t), openStore(t)
	r1, r2 := at(t, one, s, keys[0].Public()), at(t, two, s, keys[1].Public())
	fill(t, r1, keys[0], 1500, 0)
	fill(t, r2, keys[1], 300, 0)
	x, y := between(t, r1, r2)
	if x.Taken != 300 || y.Taken != 1500 {
		t.Errorf("%d and %d records taken", x.Taken, y.Taken)
	}
	x, y = between(t, r1, r2)
	if !x.Equal || !y.Equal || x.Sent+y.Sent > 0 || x.BytesSent+x.BytesCame > 1000 {
		t.Errorf("equal ones exchange: %+v, %+v", x, y)
	}
	for _, d := range []Disk{one, two} {
		must(t, d.View(func(tx Tx) error {
			return eachLog(tx, nil, func(l Log, s state) bool {
				held, err := readSet(tx, l)
				if err != nil || !held.exact() || held.m() != s.m || int(s.count) != len(held.entries) {
					t.Errorf("log %x: %d records, state %d, %v", l.Author[:4], len(held.entries), s.m, err)
				}
				return true
			})
		}))
	}
}
