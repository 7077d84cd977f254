package doctor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/node/feature/audit"
	"github.com/claudemesh/claudemesh/node/feature/health"
	"github.com/claudemesh/claudemesh/node/mesh"
	"github.com/claudemesh/claudemesh/node/nodetest"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/gossip"
	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/store"
	"github.com/claudemesh/claudemesh/test/harness"
)

// member has a node join whose clock the test sets: one inside this process, as nobody
// can set a machine's clock for one program of it.
func (h *ward) member(name string, off time.Duration) *nodetest.Node {
	h.t.Helper()
	n := nodetest.Start(h.t, name)
	n.Skew(off)
	n.Join(strings.TrimSpace(h.must("invite", "-q")))
	return n
}

// compared waits until the node knows the clocks of so many other members.
func (h *ward) compared(members int) {
	h.t.Helper()
	h.check(harness.Until(h.ctx, func() (bool, any, error) {
		out, err := health.Show.Call(h.ctx, h.API(), op.Caller{}, health.ShowRequest{})
		return err == nil && len(out.Meshes) == 1 && out.Meshes[0].Clocks == members, out.Meshes, err
	}))
}

// A clock is wrong where it differs from all others'; that of one other member alone may
// be either's.
func TestAClockThatIsWrong(t *testing.T) {
	h := newWard(t)
	h.team()
	h.member("ben", -time.Hour)
	h.compared(1)
	h.names("warn", "clock", "the clock is wrong here or there: this machine's clock is 1h0m", "timedatectl set-ntp true")
	h.member("cy", -time.Hour)
	h.compared(2)
	h.names("fail", "clock", "ahead of 2 other members' in team", "timedatectl set-ntp true")
}

// A link that was made for a minute, a week ago, on this machine.
func TestAnInviteThatExpired(t *testing.T) {
	h := newWard(t)
	n := nodetest.Start(t, "ana")
	n.Skew(-7 * 24 * time.Hour)
	n.Found("team")
	nodetest.Call(n, mesh.Invite, mesh.InviteRequest{Expires: "1m"})
	n.Stop()
	late := *h
	var err error
	late.Home, err = h.w.HomeWith(harness.HomeConfig{Name: "late", Dir: n.Dir})
	h.check(err)
	h.check(late.Start(h.ctx))
	defer func() { h.check(late.Stop(context.Background())) }()
	late.names("warn", "invites", "has expired, used 0 of 1 times: its link lets nobody in", "`claudemesh invite --mesh team`")
}

// A member whose modified program says what does not hold is told by name.
func TestAMemberThatLies(t *testing.T) {
	h := newWard(t)
	h.team()
	h.names("pass", "refused", "nothing was ever refused", "")
	eve := h.member("eve", 0)
	link := strings.TrimSpace(h.must("invite", "-q"))
	eve.Stop()
	lie(t, eve, link)
	h.check(harness.Until(h.ctx, func() (bool, any, error) {
		out, err := audit.Query.Call(h.ctx, h.API(), op.Caller{}, audit.QueryRequest{Kind: "refused"})
		return err == nil && len(out.Entries) > 0, out, err
	}))
	h.names("warn", "refused", "1 thing of eve in team refused within a day: what it signs does not hold", "`claudemesh block eve`")
}

// liar is a member's modified program: it has the folder, and says what the test has it say.
type liar struct {
	*host.Host
	mesh *mesh.Mesh
}

// List implements host.Meshes.
func (l *liar) List() []host.Mesh { return []host.Mesh{l.mesh} }

// lie has a member, whose node has ended, shout what was sealed and then changed at the
// node that made a link.
func lie(t *testing.T, n *nodetest.Node, link string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(n.Dir, "node.key"))
	check(err)
	key, err := crypto.UnmarshalPrivateKey(raw)
	check(err)
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(store.Config{Path: filepath.Join(n.Dir, "node.db"), Schema: 1, Log: log, Now: time.Now, Fatal: func(error) {}})
	check(err)
	t.Cleanup(func() { check(db.Close()) })
	l := &liar{}
	l.Host, err = host.New(host.Config{Key: key, Listen: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/0")}, Meshes: l, Log: log})
	check(err)
	began := time.Now()
	all, err := mesh.Open(mesh.Config{
		Dir: n.Dir, DB: db, Peer: l.ID(), Name: n.Name, Net: nowhere{}, Now: time.Now,
		Mono: func() time.Duration { return time.Since(began) }, Log: log,
	})
	check(err)
	l.mesh = all.All()[0]
	says, err := gossip.New(l.Host, l.mesh.ID())
	check(err)
	says.Handle(func(peer.ID, []byte) gossip.Verdict { return gossip.Ignore })
	live(t, db.Run, l.Run, says.Run)
	<-l.Ready()
	to := where(t, link)
	check(l.Connect(t.Context(), to))
	check(says.Wait(t.Context(), to.ID))
	sealed, err := l.mesh.SealGossip([]byte("anything"))
	check(err)
	sealed[len(sealed)-1] ^= 1
	check(says.Shout(t.Context(), sealed))
}

// live runs parts until the test ends.
func live(t *testing.T, parts ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range parts {
		wg.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// where is how the node is reached that made a link.
func where(t *testing.T, link string) (at peer.AddrInfo) {
	t.Helper()
	l, err := invite.ParseLink(link)
	if err == nil {
		at.ID, err = peer.Decode(l.PeerID)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range l.Addrs {
		transport, _ := peer.SplitAddr(ma.StringCast(text))
		at.Addrs = append(at.Addrs, transport)
	}
	return at
}

// nowhere is the network of meshes that nobody tells anything.
type nowhere struct{}

func (nowhere) Proved(host.Peer)                                 {}
func (nowhere) Lost(host.Peer)                                   {}
func (nowhere) Entered(context.Context, ident.MeshID)            {}
func (nowhere) Changed(ident.MeshID, []ident.PublicKey)          {}
func (nowhere) Tell(context.Context, ident.MeshID) int           { return 0 }
func (nowhere) Near(ident.MeshID) map[ident.PublicKey]op.Doer    { return nil }
func (nowhere) Cut(ident.MeshID, func(ident.PublicKey) bool) int { return 0 }
func (nowhere) Addrs() []string                                  { return nil }
func (nowhere) Redeem(context.Context, code.Code, string) (invite.Link, error) {
	return invite.Link{}, errors.ErrUnsupported
}
func (nowhere) Join(context.Context, invite.Link, join.Applicant) (join.Admission, error) {
	return join.Admission{}, errors.ErrUnsupported
}
