package delivery

import "testing"

// rows is the table of docs/delivery.md section 2: every state and every event.
var rows = map[State][7]State{
	//          Accepted   RelayKept  RelaysLost GotRefused TimeUp     GotDelivered GotSeen
	None:      {Queued, None, None, None, None, None, None},
	Queued:    {Queued, Mailed, Queued, Refused, Expired, Delivered, Seen},
	Mailed:    {Mailed, Mailed, Queued, Refused, Expired, Delivered, Seen},
	Delivered: {Delivered, Delivered, Delivered, Delivered, Delivered, Delivered, Seen},
	Seen:      {Seen, Seen, Seen, Seen, Seen, Seen, Seen},
	Expired:   {Expired, Expired, Expired, Expired, Expired, Delivered, Seen},
	Refused:   {Refused, Refused, Refused, Refused, Refused, Delivered, Seen},
}

func TestRowTable(t *testing.T) {
	for s := None; s <= Refused; s++ {
		for e := Accepted; e <= GotSeen; e++ {
			want := rows[s][e]
			got, changed := s.Next(e)
			if got != want || changed != (got != s) {
				t.Errorf("%s, event %d: %s (changed %v), want %s", s, e, got, changed, want)
			}
		}
	}
}

func TestRowStates(t *testing.T) {
	for s := None; s <= Refused+1; s++ {
		final := s == Delivered || s == Seen || s == Expired || s == Refused
		if s <= Refused && s.Final() != final {
			t.Errorf("%s: final %v", s, s.Final())
		}
		if s.Valid() != (s != None && s <= Refused) {
			t.Errorf("%s: valid %v", s, s.Valid())
		}
	}
	if State(99).String() != "unknown" || Queued.String() != "queued" {
		t.Error("names")
	}
}
