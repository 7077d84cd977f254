package host

import (
	"testing"
	"time"
)

func TestAsleep(t *testing.T) {
	began := time.Now()
	for what, c := range map[string]struct {
		now  time.Time
		want bool
	}{
		"in time":                        {began.Add(machineEvery), false},
		"a busy machine":                 {began.Add(machineEvery + 10*time.Second), false},
		"the process stood still":        {began.Add(time.Minute), true},
		"both clocks, but only wall ran": {began.Round(0).Add(8 * time.Hour), true},
		"the clock was set back":         {began.Round(0).Add(-time.Hour), false},
	} {
		if got := asleep(began, c.now); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
