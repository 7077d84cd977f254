package replica

import "testing"

// TestManyIncarnations lets a member write a record in each of very many logs: all
// hold the highest few, no more is asked for, and others' logs are left alone.
func TestManyIncarnations(t *testing.T) {
	ps, _ := nodes(t, 4)
	a, b, bad := ps[0], ps[1], ps[2]
	a.write(t, 0, false)
	made := func(inc uint64) Record {
		r, err := Make(bad.key, Header{Log: Log{Inc: inc}, N: 1, Slot: slotOf(int(inc))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for inc := uint64(1); inc <= 100; inc++ {
		to := []*node{a, b}[inc%2]
		if v, _, err := to.News(bg, made(inc).Raw()); err != nil || v != Accept {
			t.Fatalf("incarnation %d: %v, %v", inc, v, err)
		}
	}
	between(t, a.Replica, b.Replica)
	if x, y := a.live(t), b.live(t); x != y {
		t.Errorf("they hold\n%s\nand\n%s", x, y)
	}
	for inc := uint64(1); inc <= 100; inc++ {
		want := uint64(0)
		if inc > 100-maxIncs {
			want = 1
		}
		if n := a.count(t, made(inc).Log); uint64(n) != want {
			t.Errorf("%d records of incarnation %d, want %d", n, inc, want)
		}
	}
	if v, want, err := a.News(bg, made(3).Raw()); v != Ignore || want || err != nil {
		t.Errorf("news of a low incarnation: %v, %v, %v", v, want, err)
	}
	res, _ := between(t, a.Replica, b.Replica)
	if res.Received+res.Sent > 0 || !res.Equal {
		t.Errorf("they exchange again: %+v", res)
	}
}
