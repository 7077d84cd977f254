package delivery

// State is what became of a message for one recipient, at the sender.
type State uint8

// The states of a row. Their numbers are on disk: never change them.
const (
	None State = iota // there is no row
	Queued
	Mailed
	Delivered
	Seen
	Expired
	Refused
)

var stateNames = [...]string{"none", "queued", "mailed", "delivered", "seen", "expired", "refused"}

// String is the state's name as users see it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Valid tells whether s is a state that a row on disk can have.
func (s State) Valid() bool { return s > None && s <= Refused }

// Final tells that nothing more is sent for the row. A late receipt may still
// change it.
func (s State) Final() bool { return s >= Delivered }

// Event is something that happens to a row.
type Event uint8

// The events of a row.
const (
	Accepted     Event = iota // valid, resolved, room: by the sender's own commit
	RelayKept                 // a relay has committed the letter
	RelaysLost                // no relay has it any more
	GotRefused                // a receipt: the recipient's node will never take it
	TimeUp                    // its time to live is used up
	GotDelivered              // a receipt: on the recipient's disk
	GotSeen                   // a receipt: shown to the recipient
	PutOff                    // a receipt: not now; only the reason is new
)

// Next is the state after an event, and whether it differs. An event that means
// nothing in a state leaves it as it is.
func (s State) Next(e Event) (State, bool) {
	to := s.next(e)
	return to, to != s
}

func (s State) next(e Event) State {
	if s == None {
		if e == Accepted {
			return Queued
		}
		return None
	}
	open := s == Queued || s == Mailed
	switch {
	case e == RelayKept && s == Queued:
		return Mailed
	case e == RelaysLost && s == Mailed:
		return Queued
	case e == GotRefused && open:
		return Refused
	case e == TimeUp && open:
		return Expired
	case e == GotDelivered && s != Seen:
		return Delivered
	case e == GotSeen:
		return Seen
	}
	return s
}
