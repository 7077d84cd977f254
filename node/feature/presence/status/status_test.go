package status

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// start is when the virtual time of the tests begins.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// A step lets time pass to a second and then writes or, with no value, sweeps; want
// is the status after it, its source, and the second it was said.
type writeStep struct {
	at     int
	value  string
	source Source
	want   string
	from   Source
	said   int
}

func TestSourcesRankAndDecay(t *testing.T) {
	for name, steps := range map[string][]writeStep{
		"another status wins at once, from whatever source": {
			{0, Working, Hook, Working, Hook, 0},
			{1, Idle, Manual, Idle, Manual, 1},
			{2, Working, Hook, Working, Hook, 2},
			{3, Idle, Hook, Idle, Hook, 3},
		},
		"the same from a higher source takes it": {
			{0, Working, Inferred, Working, Inferred, 0},
			{1, Working, Manual, Working, Manual, 1},
			{2, Working, Hook, Working, Hook, 2},
		},
		"the same from an equal source is said again": {
			{0, Working, Hook, Working, Hook, 0},
			{50, Working, Hook, Working, Hook, 50},
			{100, "", "", Working, Hook, 50},
		},
		"the same from a lower source keeps a fresh one": {
			{0, Working, Hook, Working, Hook, 0},
			{30, Working, Manual, Working, Hook, 30},
			{61, Working, Manual, Working, Manual, 61},
		},
		"a guess is not asked while a hook is fresh": {
			{0, Working, Hook, Working, Hook, 0},
			{30, Idle, Inferred, Working, Hook, 0},
			{31, Idle, Inferred, Idle, Inferred, 31},
		},
		"a guess beats what a person said": {
			{0, Working, Manual, Working, Manual, 0},
			{1, Idle, Inferred, Idle, Inferred, 1},
		},
		"working decays after 60 s": {
			{0, Working, Hook, Working, Hook, 0},
			{60, "", "", Working, Hook, 0},
			{61, "", "", Idle, Inferred, 61},
		},
		"idle does not decay": {
			{0, Idle, Manual, Idle, Manual, 0},
			{3600, "", "", Idle, Manual, 0},
		},
		"dnd is sacred": {
			{0, DND, Manual, DND, Manual, 0},
			{1, Working, Hook, DND, Manual, 0},
			{2, Idle, Hook, DND, Manual, 0},
			{3, Idle, Inferred, DND, Manual, 0},
			{86400, "", "", DND, Manual, 0},
			{86401, Idle, Hook, DND, Manual, 0},
			{86402, Idle, Manual, Idle, Manual, 86402},
		},
		"only a person sets dnd": {
			{0, DND, Hook, Idle, Inferred, -1},
			{1, DND, Inferred, Idle, Inferred, -1},
		},
		"a clock set back does not hold working for ever": {
			{0, Working, Hook, Working, Hook, 0},
			{-60, "", "", Working, Hook, 0},
			{-61, "", "", Idle, Inferred, -61},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := Mark{Value: Idle, Source: Inferred, At: at(-1)}
			for i, s := range steps {
				if s.value == "" {
					m = m.Swept(at(s.at))
				} else {
					m = m.Write(s.value, s.source, at(s.at))
				}
				if want := (Mark{s.want, s.from, at(s.said)}); m != want {
					t.Fatalf("step %d: %+v, want %+v", i+1, m, want)
				}
			}
		})
	}
}

// Whatever happens, only a manual write begins or ends dnd, and the status is one of
// the three.
func TestOnlyManualTouchesDND(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, now := Mark{}, start
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "pass")) * time.Second)
			was := m.Or().Value
			source := rapid.SampledFrom([]Source{Hook, Manual, Inferred, ""}).Draw(t, "source")
			if source == "" {
				m = m.Swept(now)
			} else {
				m = m.Write(rapid.SampledFrom([]string{Idle, Working, DND}).Draw(t, "value"), source, now)
			}
			if (was == DND) != (m.Value == DND) && source != Manual {
				t.Fatalf("%q made %s of %s", source, m.Value, was)
			}
			if !Valid(m.Value) {
				t.Fatalf("status %q", m.Value)
			}
		}
	})
}

func TestReportsAreLimited(t *testing.T) {
	var r Reports
	a, b := Agent{PID: 1, Cwd: "/a"}, Agent{PID: 2, Cwd: "/a"}
	for i := range PerMinute {
		if !r.Allow(a, time.Duration(i)*time.Second) {
			t.Fatalf("report %d refused", i+1)
		}
	}
	if r.Allow(a, 59*time.Second) {
		t.Error("one too many in a minute")
	}
	if !r.Allow(b, 59*time.Second) {
		t.Error("another process pays for it")
	}
	if !r.Allow(a, 61*time.Second) {
		t.Error("refused for ever")
	}
	for i := range 10 * maxAgents {
		r.Allow(Agent{PID: 10 + i}, 62*time.Second)
	}
	if len(r.recent) > maxAgents {
		t.Errorf("%d agents remembered", len(r.recent))
	}
}

func TestReportsWaitForTheirSession(t *testing.T) {
	var r Reports
	a := Agent{PID: 1, Cwd: "/a"}
	r.Keep(Report{Agent: a, Value: Working}, 0)
	r.Keep(Report{Agent: Agent{PID: 9}, Session: "x", Event: "prompt"}, time.Second)
	r.Keep(Report{Agent: Agent{PID: 9, Cwd: "/b"}, Session: "y"}, time.Second)
	if got := r.Take("x", a, Pending); len(got) != 2 || got[0].Value != Working || got[1].Event != "prompt" {
		t.Errorf("taken %+v", got)
	}
	if got := r.Take("x", a, Pending); len(got) != 0 {
		t.Errorf("taken twice: %+v", got)
	}
	if got := r.Take("y", Agent{}, Pending+2*time.Second); len(got) != 0 {
		t.Errorf("kept too long: %+v", got)
	}
}
