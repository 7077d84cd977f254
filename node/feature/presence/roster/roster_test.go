package roster

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/node/feature/presence/group"
	"github.com/claudemesh/claudemesh/node/feature/presence/status"
	"github.com/claudemesh/claudemesh/overlay/ident"
)

func TestBeaconRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(max int) string { return short(rapid.String().Draw(t, "text"), max) }
		b := Beacon{
			Boot: rapid.Uint64().Draw(t, "boot"), Seq: rapid.Uint64().Draw(t, "seq"),
			Clock: time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "clock")), Lease: Lease,
		}
		for range rapid.IntRange(0, 5).Draw(t, "cards") {
			b.Cards = append(b.Cards, Card{
				Attest: rapid.SliceOfN(rapid.Byte(), 1, maxAttest).Draw(t, "attest"), Status: status.Mark{Value: status.Idle, Source: status.Hook, At: time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "said"))}, Summary: text(MaxSummary),
				Opened: time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "opened")), Sight: Sight(rapid.IntRange(0, 2).Draw(t, "sight")),
				Role: text(MaxWord), Cwd: text(MaxCwd), Host: text(MaxWord), Kind: text(MaxWord), Channel: text(MaxWord), Model: text(MaxWord),
				Groups: []group.Group{{Name: "a/b", Role: "lead"}}, Counts: Counts{In: rapid.Uint64().Draw(t, "in"), Up: time.Minute},
				Consent: rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "consent"),
			})
		}
		got, err := Decode(b.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), b.Encode()) || got.Boot != b.Boot || got.Seq != b.Seq || !got.Clock.Equal(b.Clock) {
			t.Fatalf("got %+v, want %+v", got, b)
		}
	})
}

// short cuts text at a character border.
func short(s string, n int) string {
	for len(s) > n {
		s = s[:len(s)-1]
	}
	return strings.ToValidUTF8(s, "")
}

func FuzzBeacon(f *testing.F) {
	f.Add(Beacon{Boot: 1, Seq: 2, Clock: time.UnixMilli(3), Lease: Lease}.Encode())
	f.Add(Beacon{Clock: time.UnixMilli(3), Cards: []Card{{Attest: []byte{1}, Status: status.Mark{Value: status.Idle}, Opened: time.UnixMilli(1), Summary: "x"}}, Node: Node{Addrs: []string{"/ip4/127.0.0.1"}, Heads: []ident.ID{{2}}}}.Encode())
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Decode(body)
		if err != nil {
			return
		}
		if len(b.Cards) > MaxSessions+1 || b.Lease > 10*Lease {
			t.Fatalf("limits: %d cards, lease %s", len(b.Cards), b.Lease)
		}
	})
}

func TestAgesAndStates(t *testing.T) {
	r := New()
	who := ident.PublicKey{1}
	b := Beacon{Boot: 1, Seq: 5, Lease: Lease}
	if !r.Apply(who, b, nil, 10*time.Second, time.Minute, time.Time{}) || r.Apply(who, b, nil, 0, time.Minute, time.Time{}) {
		t.Fatal("a beacon counts once")
	}
	h := r.Homes[who]
	for at, want := range map[time.Duration]State{
		time.Minute:                          Online,
		time.Minute + Lease - 10*time.Second: Away,
		time.Minute + Lease + Grace:          Offline,
	} {
		if got := h.State(at); got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	if got := h.Age(2 * time.Minute); got != 70*time.Second {
		t.Errorf("age %s", got)
	}
}

func TestAClockThatNoCalendarHas(t *testing.T) {
	b := Beacon{Boot: 1, Seq: 1, Lease: Lease, Clock: time.UnixMilli(lastMoment)}
	if _, err := Decode(b.Encode()); err != nil {
		t.Errorf("the last moment: %v", err)
	}
	for _, ms := range []int64{lastMoment + 1, 1<<63 - 1, -1 << 62} {
		b.Clock = time.UnixMilli(ms)
		if _, err := Decode(b.Encode()); !errors.Is(err, ErrBeacon) {
			t.Errorf("%d: %v", ms, err)
		}
	}
}
