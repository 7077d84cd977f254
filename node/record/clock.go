package record

import (
	"time"

	"github.com/claudemesh/claudemesh/overlay/replica"
)

// Clock is the time of a record; see replica.Clock.
type Clock = replica.Clock

// slack is how far ahead of mesh time a clock may be to count, and to move ours.
const slack = time.Minute

// horizon is the highest clock that counts at a time.
func horizon(now time.Time) Clock { return replica.ClockAt(now.Add(slack).Add(time.Millisecond)) - 1 }

// nextClock is the clock of a new record. Clocks beyond the horizon do not move it, the own
// last one among them: after a clock that was wrong, what is written is shown again.
func nextClock(now time.Time, last, overwritten Clock) Clock {
	most := horizon(now)
	if last > most {
		last = 0
	}
	if overwritten > most {
		overwritten = 0
	}
	return replica.NextClock(now, last, overwritten)
}
