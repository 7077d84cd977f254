package hostile

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/test/harness"
)

// mostMemory is what a node may use while it is flooded, in KiB.
const mostMemory = 200 << 10

// A flood of malformed frames on everything a stranger reaches, of half-open streams
// and of connections: the node stays small, and its members' messages arrive.
func TestAFloodOfStrangers(t *testing.T) {
	frames, strangers, silent := int64(3_000), 12, 200
	if os.Getenv("CLAUDEMESH_LONG") == "1" {
		frames, strangers, silent = 100_000, 40, 1_000
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	ana, ben, target := meet(ctx, t)
	c := newCrowd(t, target, strangers)
	quiet := peak(t, ana)

	flood, calm := context.WithCancel(ctx)
	defer calm()
	var beside sync.WaitGroup
	held, served := 0, 0
	var slowest time.Duration
	beside.Go(func() { held = c.connections(flood, strconv.Itoa(ana.Port), silent) })
	beside.Go(func() {
		for n := 0; flood.Err() == nil; n++ {
			began := time.Now()
			if err := deliver(ctx, ben, "ana", fmt.Sprint("in the flood ", n)); err != nil {
				t.Error(err)
				return
			}
			slowest = max(slowest, time.Since(began))
			served++
		}
	})
	began := time.Now()
	c.frames(flood, frames)
	took := time.Since(began)
	calm()
	beside.Wait()

	t.Logf("%d malformed frames in %v from %d strangers, %d of the streams left half open, %d refusals; %d silent connections of %d; peak memory %d MiB (%d before); %d messages delivered meanwhile, the slowest after %v",
		c.written.Load(), took.Round(time.Millisecond), strangers, c.held.Load(), c.refused.Load(), held, silent, peak(t, ana)>>10, quiet>>10, served, slowest.Round(time.Millisecond))
	if got := peak(t, ana); got > mostMemory {
		t.Errorf("the flooded node used %d KiB, at most %d allowed", got, mostMemory)
	}
	if served == 0 {
		t.Error("no message was delivered during the flood")
	}
	nodetest.Must(t, deliver(ctx, ben, "ana", "after the flood"))
	nodetest.Must(t, deliver(ctx, ana, "ben", "and back"))
}

// meet lets two people meet, and tells where a stranger finds the first.
func meet(ctx context.Context, t *testing.T) (ana, ben *harness.Home, at peer.AddrInfo) {
	t.Helper()
	return meetIn(ctx, t, newWorld(t))
}

// newWorld is a world that ends with the test.
func newWorld(t *testing.T) *harness.World {
	t.Helper()
	w, err := harness.New(harness.Config{Bin: bin, Limit: 30 * time.Minute})
	nodetest.Must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the ends of the logs:\n%s", w.Logs())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// meetIn lets two people meet in a world.
func meetIn(ctx context.Context, t *testing.T, w *harness.World) (ana, ben *harness.Home, at peer.AddrInfo) {
	t.Helper()
	ana, err := w.Home("ana")
	nodetest.Must(t, err)
	ben, err = w.Home("ben")
	nodetest.Must(t, err)
	nodetest.Must(t, ana.Start(ctx))
	nodetest.Must(t, ben.Start(ctx))
	var made mesh.InviteResponse
	nodetest.Must(t, ana.JSON(ctx, &struct{}{}, "new", "atelier", "--as", "ana"))
	nodetest.Must(t, ana.JSON(ctx, &made, "invite"))
	nodetest.Must(t, ben.JSON(ctx, &struct{}{}, "join", made.Link, "--as", "ben"))
	nodetest.Must(t, deliver(ctx, ben, "ana", "hello"))
	link, err := invite.ParseLink(made.Link)
	nodetest.Must(t, err)
	at.ID, err = peer.Decode(link.PeerID)
	nodetest.Must(t, err)
	at.Addrs = []ma.Multiaddr{
		ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", ana.Port)),
		ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", ana.Port)),
	}
	return ana, ben, at
}

// deliver sends a message and waits for the receipt.
func deliver(ctx context.Context, from *harness.Home, to, text string) error {
	user := op.Caller{User: true}
	sent, err := message.Send.Call(ctx, from.API(), user, message.SendRequest{To: message.Targets{to}, Message: text})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return harness.Until(ctx, func() (bool, any, error) {
		out, err := message.Status.Call(ctx, from.API(), user, message.StatusRequest{ID: sent.ID})
		return err == nil && out.Delivered, out.Recipients, err
	})
}

// peak is the most memory that a home's node has used, in KiB.
func peak(t *testing.T, h *harness.Home) int { t.Helper(); return memory(t, h, "VmHWM:") }

// memory is what /proc says of the memory of a home's node, in KiB: VmHWM is the most
// that it had, RssAnon its own now, RssFile that of its files, mostly its store, which
// the system takes back when it needs it.
func memory(t *testing.T, h *harness.Home, what string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.Node().PID()))
	if err != nil {
		t.Skip("the memory of a process is read from /proc:", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			nodetest.Must(t, err)
			return n
		}
	}
	t.Fatal("no", what)
	return 0
}
