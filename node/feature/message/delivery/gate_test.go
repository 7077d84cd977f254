package delivery

import (
	"fmt"
	"testing"
	"time"
)

// TestGateTable is complete: every priority, status, mode and attachment, with
// unknown ones.
func TestGateTable(t *testing.T) {
	push := map[string]Decision{ // attached, mode push: by priority and status
		"1 idle": Push, "1 working": Push, "1 dnd": Push, "1 ": Push, "1 other": Push,
		"2 idle": Push,
	}
	for p := Priority(0); p <= Low+1; p++ {
		for _, status := range []string{Idle, Working, DND, "", "other"} {
			for _, mode := range []string{ModePush, ModeInbox, ModeOff, "", "other"} {
				for _, attached := range []bool{false, true} {
					want := push[fmt.Sprintf("%d %s", p, status)]
					switch {
					case !attached || mode != ModePush && mode != ModeInbox:
						want = Hold
					case mode == ModeInbox && want == Push:
						want = Hint
					}
					if got := Gate(p, status, mode, attached); got != want {
						t.Errorf("%s, status %q, mode %q, attached %v: %d, want %d", p, status, mode, attached, got, want)
					}
				}
			}
		}
	}
}

func TestChoose(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	idle := func(active int) Candidate {
		return Candidate{Status: Idle, Mode: ModePush, Attached: true, LastActive: at(active)}
	}
	busy, inbox, gone, own := idle(9), idle(8), idle(7), idle(10)
	busy.Status, inbox.Mode, gone.Attached, own.Excluded = Working, ModeInbox, false, true
	cases := []struct {
		name     string
		priority Priority
		sessions []Candidate
		want     int
		how      Decision
	}{
		{"nobody", Next, nil, -1, Hold},
		{"the last active one", Next, []Candidate{idle(1), idle(3), idle(2)}, 1, Push},
		{"not the busy one", Next, []Candidate{busy, idle(1)}, 1, Push},
		{"the busy one for now", Now, []Candidate{busy, idle(1)}, 0, Push},
		{"push before hint", Next, []Candidate{inbox, idle(1)}, 1, Push},
		{"push after hint", Next, []Candidate{idle(1), inbox}, 0, Push},
		{"a hint if nothing else", Next, []Candidate{busy, inbox, gone}, 1, Hint},
		{"not the one that wrote it", Next, []Candidate{own, idle(1)}, 1, Push},
		{"only the one that wrote it", Next, []Candidate{own}, -1, Hold},
		{"low is never pushed", Low, []Candidate{idle(1), inbox}, -1, Hold},
		{"detached", Now, []Candidate{gone}, -1, Hold},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if i, d := Choose(c.priority, c.sessions); i != c.want || d != c.how {
				t.Errorf("%d, %d; want %d, %d", i, d, c.want, c.how)
			}
		})
	}
}

func TestPriorityNames(t *testing.T) {
	for p, name := range map[Priority]string{Now: "now", Next: "next", Low: "low", 0: "unknown", 4: "unknown"} {
		if p.String() != name || p.Valid() != (name != "unknown") {
			t.Errorf("%d: %s, %v", p, p, p.Valid())
		}
	}
}
