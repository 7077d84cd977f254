package delivery

import "time"

// Priority is how urgent a message is. The numbers are on the wire and on disk.
type Priority uint8

// The priorities.
const (
	Now  Priority = 1 // at once
	Next Priority = 2 // when the recipient is idle
	Low  Priority = 3 // when the recipient asks
)

// Valid tells whether p is one of the three.
func (p Priority) Valid() bool { return p >= Now && p <= Low }

// String is the priority's name.
func (p Priority) String() string {
	switch p {
	case Now:
		return "now"
	case Next:
		return "next"
	case Low:
		return "low"
	}
	return "unknown"
}

// Statuses of a session. Any other counts as working.
const (
	Idle    = "idle"
	Working = "working"
	DND     = "dnd"
)

// Modes of a session. Any other counts as off.
const (
	ModePush  = "push"
	ModeInbox = "inbox"
	ModeOff   = "off"
)

// Decision is what the gate says about a message for a session.
type Decision uint8

// The decisions.
const (
	Hold Decision = iota // nothing now
	Push                 // into the session's context
	Hint                 // tell that mail waits
)

// Gate decides whether a message may disturb a session now. It depends on its
// four arguments alone.
func Gate(p Priority, status, mode string, attached bool) Decision {
	if !attached || p == Low || (p == Next && status != Idle) || !p.Valid() {
		return Hold
	}
	switch mode {
	case ModePush:
		return Push
	case ModeInbox:
		return Hint
	}
	return Hold
}

// Candidate is a session that could be offered a message.
type Candidate struct {
	Status, Mode string
	Attached     bool
	LastActive   time.Time
	// Excluded is set for the session that wrote the message.
	Excluded bool
}

// Choose picks the session that takes a message: of those whose gate says push
// the last active one, else of those that can be told of it the last active
// one. -1 with Hold means none: the first to ask gets it.
func Choose(p Priority, sessions []Candidate) (int, Decision) {
	best, found := -1, Hold
	for i, s := range sessions {
		d := Gate(p, s.Status, s.Mode, s.Attached)
		if d == Hold || s.Excluded {
			continue
		}
		better := best < 0 || (d == Push && found == Hint) ||
			(d == found && s.LastActive.After(sessions[best].LastActive))
		if better {
			best, found = i, d
		}
	}
	return best, found
}
