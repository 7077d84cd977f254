package allowance

import (
	"testing"
	"time"
)

func TestAllowance(t *testing.T) {
	now := time.Hour
	a := New[int](func() time.Duration { return now }, time.Second, 3)
	count := func(k int) (n int) {
		for a.Allow(k) {
			n++
		}
		return n
	}
	if n := count(1); n != 3 {
		t.Errorf("%d at once", n)
	}
	now += 2 * time.Second
	if n, other := count(1), count(2); n != 2 || other != 3 {
		t.Errorf("%d after 2 s, %d for another", n, other)
	}
	if d := a.Book(1); d != time.Second {
		t.Errorf("one more waits %s", d)
	}
	if d := a.Book(1); d != 2*time.Second {
		t.Errorf("the next waits %s", d)
	}
	now += time.Hour
	for k := range 3 * manyKeys {
		a.Allow(k)
		now += 4 * time.Second // then it has its burst again
	}
	if len(a.free) > manyKeys {
		t.Errorf("%d are remembered", len(a.free))
	}
	if n := count(1); n != 3 {
		t.Errorf("%d after an hour", n)
	}
}
