package roster

import (
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/overlay/ident"
)

// A member that shows new sessions in every beacon fills no memory.
func TestTheWatchForgetsWhatIsTooMuch(t *testing.T) {
	var w Watch
	r, eve := New(), ident.PublicKey{1}
	w.Knew(ident.PublicKey{2}, Card{Key: ident.PublicKey{2}}, time.Unix(1, 0))
	w.Begin(time.Unix(0, 0), 0)
	n := uint32(0)
	for seq := range uint64(2 * maxSeen / MaxSessions) {
		b := Beacon{Boot: 1, Seq: seq + 1, Lease: Lease}
		for range MaxSessions {
			n++
			b.Cards = append(b.Cards, Card{Key: ident.PublicKey{3, byte(n), byte(n >> 8), byte(n >> 16)}})
		}
		r.Apply(eve, b, nil, 0, time.Duration(seq), time.Unix(0, 0))
		w.Look(r, time.Unix(0, 0), time.Duration(seq))
	}
	if len(w.seen) > maxSeen+MaxSessions+1 {
		t.Errorf("%d are remembered", len(w.seen))
	}
	if w.seen[ident.PublicKey{2}] == nil {
		t.Error("another member's is forgotten")
	}
}
