package replica

import "time"

// Clock is when a record was written: 48 bits of Unix milliseconds, then a
// counter of 16 bits. Records of one slot are ordered by it.
type Clock uint64

// ClockAt is the first clock of t's millisecond; of times before 1970 it is 0.
func ClockAt(t time.Time) Clock {
	ms := t.UnixMilli()
	if ms < 0 {
		return 0
	}
	return Clock(min(uint64(ms), 1<<48-1) << 16)
}

// NextClock is the clock of a new record: the highest of mesh time, the author's
// last clock + 1, and the clock of the record it overwrites + 1.
func NextClock(mesh time.Time, last, beaten Clock) Clock {
	return max(ClockAt(mesh), last+1, beaten+1)
}

// Time is the clock's millisecond.
func (c Clock) Time() time.Time { return time.UnixMilli(int64(c >> 16)).UTC() }
