package status

import "time"

// The statuses.
const (
	Idle    = "idle"
	Working = "working"
	DND     = "dnd" // do not disturb: only its user ends it
)

// Source is where a status comes from.
type Source string

// The sources. A hook sees what the agent does, a person or agent may say it, and
// what is inferred is a guess: nothing else was heard.
const (
	Hook     Source = "hook"
	Manual   Source = "manual"
	Inferred Source = "inferred"
)

// How long statuses hold.
const (
	// Fresh is how long a source outranks lower ones that say the same, and a hook
	// outranks a guess that says something else.
	Fresh = 30 * time.Second
	// Decay is how long working holds without being said again.
	Decay = time.Minute
	// Sweep is how often it is looked at.
	Sweep = 15 * time.Second
	// Pending is how long a report waits for its session to appear.
	Pending = 10 * time.Second
)

// rank orders the sources.
func (s Source) rank() int {
	switch s {
	case Hook:
		return 3
	case Manual:
		return 2
	default:
		return 1
	}
}

// Valid tells whether text is a status.
func Valid(text string) bool { return text == Idle || text == Working || text == DND }

// Mark is a status with its source and the time at which it was last said, by the
// wall clock. The zero Mark is idle, inferred, long ago.
type Mark struct {
	Value  string    `json:"value"`
	Source Source    `json:"source"`
	At     time.Time `json:"at"`
}

// Or gives the zero Mark its meaning.
func (m Mark) Or() Mark {
	if m.Value == "" {
		return Mark{Value: Idle, Source: Inferred, At: m.At}
	}
	return m
}

// Age is how long ago it was last said, zero for a time that is yet to come.
func (m Mark) Age(now time.Time) time.Duration { return max(now.Sub(m.At), 0) }

// fresh tells whether the source was heard just now. A time that is yet to come,
// after the clock was set back, is not fresh.
func (m Mark) fresh(now time.Time) bool {
	age := now.Sub(m.At)
	return 0 <= age && age <= Fresh
}

// Write returns what holds after source said value:
//   - nobody but a person or the agent itself (Manual) ends dnd, and only they set it;
//   - a guess is not asked while a hook is fresh;
//   - another status wins at once, whatever its source;
//   - the same status from an equal or higher source takes that source; from a lower
//     one it keeps its source while that is fresh, and is said again either way.
func (m Mark) Write(value string, source Source, now time.Time) Mark {
	m = m.Or()
	said := Mark{Value: value, Source: source, At: now}
	switch {
	case source != Manual && (m.Value == DND || value == DND):
		return m
	case source == Inferred && m.Source == Hook && m.fresh(now):
		return m
	case value != m.Value, source.rank() >= m.Source.rank(), !m.fresh(now):
		return said
	default:
		return Mark{Value: m.Value, Source: m.Source, At: now}
	}
}

// Swept returns what holds after the sweep at now: working that nobody said again
// becomes idle. A clock that was set back by more than the decay counts as over.
func (m Mark) Swept(now time.Time) Mark {
	m = m.Or()
	age := now.Sub(m.At)
	if m.Value != Working || -Decay <= age && age <= Decay {
		return m
	}
	return Mark{Value: Idle, Source: Inferred, At: now}
}
