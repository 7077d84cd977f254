package delivery

// Entry is how far a message has come in an inbox.
type Entry uint8

// The states of an entry. Their numbers are on disk: never change them.
const (
	Absent      Entry = iota
	Waiting           // on disk, not shown
	Offered           // pushed, or given to who asked; nothing shows yet that it was seen
	Read              // seen
	Quarantined       // from a blocked sender: not shown unless somebody asks for it
)

// Valid tells whether e is a state that an entry on disk can have.
func (e Entry) Valid() bool { return e > Absent && e <= Quarantined }

// Happening is something that happens to an entry that exists.
type Happening uint8

// What happens to an entry.
const (
	Pushed Happening = iota // the gate is open: marked, and pushed after the commit
	Pulled                  // its reader asked for it: marked, and given after the commit
	Proved                  // something shows that it was seen
	Held                    // its sender was blocked before it was shown
	Freed                   // somebody asked for what was held
)

// Next is the state after h, and whether it differs.
func (e Entry) Next(h Happening) (Entry, bool) {
	switch {
	case e == Waiting && (h == Pushed || h == Pulled):
		return Offered, true
	case e == Offered && h == Proved:
		return Read, true
	case e == Waiting && h == Held:
		return Quarantined, true
	case e == Quarantined && h == Freed:
		return Waiting, true
	}
	return e, false
}

// Verdict is what the checks of an arriving letter found.
type Verdict uint8

// The verdicts.
const (
	Good        Verdict = iota // verified and permitted
	Blocked                    // verified, from somebody blocked here
	Unjudged                   // cannot be judged yet, too much at once, too old
	Never                      // invalid for ever
	BadlySigned                // the signature is not the session's
)

// Outcome is what a receipt says.
type Outcome uint8

// The outcomes. Their numbers are on the wire: never change them.
const (
	Silent     Outcome = iota // no receipt
	ODelivered                // on disk at the recipient's home
	ORefused                  // never to be taken
	OLater                    // not now: send it again
	OSeen                     // shown
	ONoted                    // the answer to a receipt that came as a letter
)

// Arrival is what is known when a letter comes in.
type Arrival struct {
	Have    Entry   // what the inbox has under the key
	Same    bool    // with the same content
	Verdict Verdict // of the checks, if Have is Absent
	Room    bool    // within the inbox's limits
}

// Arrive decides about a letter: the state of its entry afterwards and the
// receipt. A new entry is committed before the receipt leaves.
func Arrive(a Arrival) (Entry, Outcome) {
	switch {
	case a.Verdict == BadlySigned && !(a.Have != Absent && a.Same):
		return a.Have, Silent
	case a.Have != Absent && a.Same:
		return a.Have, ODelivered
	case a.Have != Absent, a.Verdict == Never:
		return a.Have, ORefused
	case a.Verdict == Unjudged, !a.Room:
		return Absent, OLater
	case a.Verdict == Blocked:
		return Quarantined, ODelivered
	}
	return Waiting, ODelivered
}
