package roster

import (
	"slices"
	"time"
)

// farOff is how much a clock may differ from the own one to have a vote where fewer than
// sureVotes clocks of others are known.
const (
	farOff    = 24 * time.Hour
	sureVotes = 3
)

// Median is the median of the own clock and others'. Of the two in the middle of an even
// number it is the one nearer to the own clock, so that half of the votes, which may be
// one of two, cannot move it. As long as fewer than three others vote, a clock more than
// a day off has none.
func Median(own time.Time, others []time.Time) time.Time {
	votes := []time.Time{own}
	for _, v := range others {
		if len(others) >= sureVotes || v.Sub(own).Abs() <= farOff {
			votes = append(votes, v)
		}
	}
	slices.SortFunc(votes, time.Time.Compare)
	lower, upper := votes[(len(votes)-1)/2], votes[len(votes)/2]
	if own.Sub(lower).Abs() < upper.Sub(own).Abs() {
		return lower
	}
	return upper
}

// Votes are what the clocks of the nodes that are online show now, one per member.
func (r *Roster) Votes(mono time.Duration) []time.Time {
	var out []time.Time
	for _, h := range r.Homes {
		if h.State(mono) == Online && h.Heard {
			out = append(out, h.Beacon.Clock.Add(h.Age(mono)))
		}
	}
	return out
}
