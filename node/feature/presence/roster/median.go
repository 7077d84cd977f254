package roster

import (
	"slices"
	"time"
)

// Median is the upper median of the votes: of two, the later. There must be one.
func Median(votes []time.Time) time.Time {
	slices.SortFunc(votes, time.Time.Compare)
	return votes[len(votes)/2]
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
