package delivery

import "testing"

func TestEntryTable(t *testing.T) {
	table := map[Entry][5]Entry{
		//            Pushed   Pulled   Proved   Held         Freed
		Absent:      {Absent, Absent, Absent, Absent, Absent},
		Waiting:     {Offered, Offered, Waiting, Quarantined, Waiting},
		Offered:     {Offered, Offered, Read, Offered, Offered},
		Read:        {Read, Read, Read, Read, Read},
		Quarantined: {Quarantined, Quarantined, Quarantined, Quarantined, Waiting},
	}
	for e := Absent; e <= Quarantined; e++ {
		for h := Pushed; h <= Freed; h++ {
			want := table[e][h]
			if got, changed := e.Next(h); got != want || changed != (got != e) {
				t.Errorf("entry %d, happening %d: %d (changed %v), want %d", e, h, got, changed, want)
			}
		}
	}
}

// TestArriveTable goes through every combination of what can be known.
func TestArriveTable(t *testing.T) {
	for have := Absent; have <= Quarantined; have++ {
		for v := Good; v <= BadlySigned; v++ {
			for _, same := range []bool{false, true} {
				for _, room := range []bool{false, true} {
					a := Arrival{Have: have, Same: same, Verdict: v, Room: room}
					next, o := Arrive(a)
					wantNext, wantO := arriveByTheBook(a)
					if next != wantNext || o != wantO {
						t.Errorf("%+v: %d, %d; want %d, %d", a, next, o, wantNext, wantO)
					}
				}
			}
		}
	}
}

// arriveByTheBook is the table of docs/delivery.md section 4, row by row.
func arriveByTheBook(a Arrival) (Entry, Outcome) {
	if a.Have != Absent {
		switch {
		case a.Same:
			return a.Have, ODelivered // any, same key and content
		case a.Verdict == BadlySigned:
			return a.Have, Silent
		}
		return a.Have, ORefused // other content under the key
	}
	switch a.Verdict {
	case BadlySigned:
		return Absent, Silent
	case Never:
		return Absent, ORefused
	case Unjudged:
		return Absent, OLater
	}
	switch {
	case !a.Room:
		return Absent, OLater
	case a.Verdict == Blocked:
		return Quarantined, ODelivered
	}
	return Waiting, ODelivered
}

// TestBlockedLooksUnread: a blocked sender gets the receipt of an unread one.
func TestBlockedLooksUnread(t *testing.T) {
	for have := Absent; have <= Quarantined; have++ {
		for _, same := range []bool{false, true} {
			for _, room := range []bool{false, true} {
				_, good := Arrive(Arrival{Have: have, Same: same, Verdict: Good, Room: room})
				_, blocked := Arrive(Arrival{Have: have, Same: same, Verdict: Blocked, Room: room})
				if good != blocked {
					t.Errorf("have %d same %v room %v: %d, blocked %d", have, same, room, good, blocked)
				}
			}
		}
	}
}
