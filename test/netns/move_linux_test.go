package netns

import (
	"context"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/test/harness"
)

// Two machines that were off get other addresses from the network when they come
// back: all that each remembers of the other is wrong, and mDNS alone is left. Who they
// are does not depend on network adapters (catalogue 19).
func TestNewAddressesWhileOff(t *testing.T) {
	l := network(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ana, ben := pair(ctx, t, l)
	for _, h := range []*harness.Home{ana, ben} {
		do(ctx, t, h, &struct{}{}, "node", "down")
	}
	move(t, l)
	began := time.Now()
	do(ctx, t, ana, &struct{}{}, "node", "up")
	exchange(ctx, t, ben, "ana", "I have moved")
	t.Logf("delivered %v after the first of the two started", short(time.Since(began)))
}

// The same while both run: their connection dies without a word.
func TestNewAddressesWhileOn(t *testing.T) {
	l := network(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, ben := pair(ctx, t, l)
	move(t, l)
	began := time.Now()
	exchange(ctx, t, ben, "ana", "I am moving")
	t.Logf("delivered %v after the addresses changed", short(time.Since(began)))
}

// pair lets two people meet, on the machines 1 and 2.
func pair(ctx context.Context, t *testing.T, l *LAN) (ana, ben *harness.Home) {
	t.Helper()
	ana, ben = user(t, l, 1, "ana"), user(t, l, 2, "ben")
	if _, err := Meet(ctx, ana, ben); err != nil {
		t.Fatal(err)
	}
	return ana, ben
}

// exchange sends a message and waits for the receipt.
func exchange(ctx context.Context, t *testing.T, from *harness.Home, to, text string) {
	t.Helper()
	var sent message.SendResponse
	do(ctx, t, from, &sent, "send", to, text)
	if err := Delivered(ctx, from, sent.ID); err != nil {
		t.Fatal(err)
	}
}

// do runs a command that must work.
func do(ctx context.Context, t *testing.T, h *harness.Home, answer any, args ...string) {
	t.Helper()
	if err := h.JSON(ctx, answer, args...); err != nil {
		t.Fatal(err)
	}
}

// move gives both machines other addresses.
func move(t *testing.T, l *LAN) {
	t.Helper()
	for n := range l.machines {
		if err := l.address(n+1, n+101); err != nil {
			t.Fatal(err)
		}
	}
}
