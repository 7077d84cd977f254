package nodes

import "testing"

func TestMemoryIsGivenBackWhenIdle(t *testing.T) {
	const mib = 1 << 20
	before := memory{allocated: 100 * mib}
	for name, c := range map[string]struct {
		now  memory
		want bool
	}{
		"idle after a busy time":   {memory{allocated: 101 * mib, live: 5 * mib, objects: 20 * mib}, true},
		"free, but not given back": {memory{allocated: 101 * mib, live: 5 * mib, objects: 5 * mib, free: 20 * mib}, true},
		"nothing to spare":         {memory{allocated: 101 * mib, live: 5 * mib, objects: 6 * mib, free: mib}, false},
		"busy":                     {memory{allocated: 150 * mib, live: 5 * mib, objects: 20 * mib, free: 20 * mib}, false},
		"less than was live":       {memory{allocated: 100 * mib, live: 9 * mib, objects: 5 * mib}, false},
	} {
		if got := c.now.idle(before); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMemoryIsMeasured(t *testing.T) {
	was := inUse()
	if was.allocated == 0 || was.objects == 0 {
		t.Errorf("%+v", was)
	}
	grown := make([]byte, 1<<20)
	if is := inUse(); is.allocated < was.allocated+uint64(len(grown)) {
		t.Errorf("%+v after %+v", is, was)
	}
}
