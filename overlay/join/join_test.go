package join

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/claudemesh/claudemesh/overlay/host"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	admitterPeer = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"
	joinerPeer   = peer.ID("joiner")
)

var (
	quiet   = slog.New(slog.DiscardHandler)
	started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// owner is an admitter with a mesh of its own.
type owner struct {
	t    testing.TB
	seed ident.Seed
	log  *trust.Log
	ring *trust.Keyring

	mu      sync.Mutex // guards what follows
	now     time.Time
	secrets []invite.Secret
	claims  int
	fail    error // of both methods
}

func newOwner(t testing.TB) *owner {
	o := &owner{t: t, seed: newSeed(t), ring: trust.NewKeyring(), now: started}
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := trust.CreateGenesis(o.seed, "team", "ana", started, key)
	if err != nil {
		t.Fatal(err)
	}
	if o.log, err = trust.NewLog(genesis); err != nil {
		t.Fatal(err)
	}
	if err := o.ring.Put(o.log, genesis.ID(), key); err != nil {
		t.Fatal(err)
	}
	return o
}

func newSeed(t testing.TB) ident.Seed {
	s, err := ident.NewSeed()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (o *owner) add(e trust.Entry, err error) trust.Entry {
	o.t.Helper()
	if err == nil {
		_, err = o.log.Add(e)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return e
}

// invite makes an invite and its link.
func (o *owner) invite(uses int) invite.Link {
	s, err := invite.NewSecret()
	if err != nil {
		o.t.Fatal(err)
	}
	o.add(o.log.SignInvite(o.seed.Member(), trust.Invite{
		Key: s.Key().Public(), Role: trust.RoleMember, Uses: uses, Expires: o.now.Add(time.Hour),
	}, o.now))
	o.secrets = append(o.secrets, s)
	return invite.Link{Secret: s, PeerID: admitterPeer}
}

// find returns the invite with a public key and its secret.
func (o *owner) find(key ident.PublicKey) (trust.InviteState, invite.Secret, error) {
	for _, s := range o.secrets {
		if s.Key().Public() != key {
			continue
		}
		for _, inv := range o.log.State().Invites {
			if inv.Key == key {
				return inv, s, nil
			}
		}
	}
	return trust.InviteState{}, invite.Secret{}, ErrUnknown
}

func (o *owner) Blob(_ context.Context, key ident.PublicKey) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	inv, s, err := o.find(key)
	if err = errors.Join(o.fail, err); err != nil {
		return nil, err
	}
	return invite.SealBlob(o.log, s, inv.ID, admitterPeer)
}

func (o *owner) Claim(_ context.Context, key ident.PublicKey, from peer.ID, sealed []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claims++
	inv, _, err := o.find(key)
	if err = errors.Join(o.fail, err); err != nil {
		return nil, err
	}
	self := o.seed.Member().Public()
	stmt, c, err := OpenClaim(o.log.Mesh(), self, o.seed.Seal(), inv, from, sealed)
	if err != nil {
		return nil, err
	}
	if _, in := o.log.State().Member(c.Keys.Member); !in {
		if err := Refusal(inv, o.now); err != nil {
			return nil, err
		}
		name := c.Name
		if name == "" {
			name = "someone"
		}
		o.add(o.log.SignAdmit(o.seed.Member(), trust.Admit{Claim: stmt, Name: name, Invite: inv.ID}, o.now))
	}
	return invite.SealWelcome(o.log, o.ring, c.Keys.Member, key)
}

// dialer connects a joiner to a function that plays the other end.
type dialer struct {
	self  peer.ID
	serve func(Stream)
	err   error
	to    peer.AddrInfo
	wg    sync.WaitGroup
}

func (d *dialer) Self() peer.ID { return d.self }

func (d *dialer) Dial(_ context.Context, to peer.AddrInfo) (Stream, error) {
	d.to = to
	if d.err != nil {
		return nil, d.err
	}
	near, far := net.Pipe()
	d.wg.Go(func() {
		defer far.Close()
		d.serve(pipe{far})
	})
	return pipe{near}, nil
}

type pipe struct{ net.Conn }

func (p pipe) Reset() error { return p.Close() }

// to is a dialer to o.
func to(t testing.TB, o Admitter) *dialer {
	d := &dialer{self: joinerPeer}
	d.serve = func(s Stream) { Serve(context.Background(), o, joinerPeer, s, quiet) }
	t.Cleanup(d.wg.Wait)
	return d
}

func TestJoin(t *testing.T) {
	o := newOwner(t)
	link := o.invite(1)
	who := Applicant{Seed: newSeed(t), Name: "bob"}
	a, err := Join(t.Context(), to(t, o), link, who)
	if err != nil {
		t.Fatal(err)
	}
	if a.Member.Name != "bob" || a.Member.Keys.Member != who.Seed.Member().Public() || string(a.Member.Peer) != string(joinerPeer) {
		t.Fatalf("joined as %+v", a.Member)
	}
	if !slices.Equal(a.Log.Heads(), o.log.Heads()) || a.Log.Mesh() != o.log.Mesh() {
		t.Fatal("another log")
	}
	if a.Offer.Card != (invite.Card{Mesh: "team", Inviter: "ana", Role: trust.RoleMember}) {
		t.Fatalf("card %+v", a.Offer.Card)
	}
	want, _, _ := o.ring.Effective(o.log.State().EpochHeads)
	if got, _, err := a.Ring.Effective(a.Log.State().EpochHeads); err != nil || got != want {
		t.Fatal("another epoch key", err)
	}
}

// TestARepeatedClaimGetsTheSameAdmission: also when the invite is used up, ended or expired since.
func TestARepeatedClaimGetsTheSameAdmission(t *testing.T) {
	o := newOwner(t)
	link := o.invite(1)
	who := Applicant{Seed: newSeed(t), Name: "bob"}
	first, err := Join(t.Context(), to(t, o), link, who)
	if err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(2 * time.Hour)
	again, err := Join(t.Context(), to(t, o), link, who)
	if err != nil || again.Member.Admit != first.Member.Admit {
		t.Fatal(err)
	}
	if inv := o.log.State().Invites[first.Offer.Invite.ID]; inv.Used != 1 {
		t.Fatalf("%d uses", inv.Used)
	}
}

func TestADeclinedInviteIsNotUsed(t *testing.T) {
	o := newOwner(t)
	link := o.invite(1)
	no := errors.New("already in this mesh")
	var seen invite.Offer
	_, err := Join(t.Context(), to(t, o), link, Applicant{Seed: newSeed(t), Accept: func(offer invite.Offer) error {
		seen = offer
		return no
	}})
	if err != no || seen.Mesh() != o.log.Mesh() || o.claims != 0 {
		t.Fatal(err, o.claims)
	}
}

func TestJoiningAnOldMesh(t *testing.T) {
	o := newOwner(t)
	gone, err := Join(t.Context(), to(t, o), o.invite(1), Applicant{Seed: newSeed(t), Name: "eve"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	e := o.add(o.log.SignRemove(o.seed.Member(), trust.Removal{
		Targets: []trust.Principal{trust.Principal(gone.Member.Keys.Member)}, Key: key,
	}, o.ring, o.now))
	if err := o.ring.Put(o.log, e.ID(), key); err != nil {
		t.Fatal(err)
	}
	a, err := Join(t.Context(), to(t, o), o.invite(3), Applicant{Seed: newSeed(t), Name: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if _, in := a.Log.State().Member(gone.Member.Keys.Member); in || len(a.Ring.Keys()) != 2 {
		t.Fatalf("eve in: %v, %d keys", in, len(a.Ring.Keys()))
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(o *owner, link *invite.Link)
		want  error
	}{
		"expired": {func(o *owner, _ *invite.Link) { o.now = o.now.Add(2 * time.Hour) }, ErrExpired},
		"spent": {func(o *owner, link *invite.Link) {
			if _, err := Join(o.t.Context(), to(o.t, o), *link, Applicant{Seed: newSeed(o.t)}); err != nil {
				o.t.Fatal(err)
			}
		}, ErrSpent},
		"ended": {func(o *owner, link *invite.Link) {
			inv, _, _ := o.find(link.Secret.Key().Public())
			o.add(o.log.SignUninvite(o.seed.Member(), []ident.ID{inv.ID}, o.now))
		}, ErrEnded},
		"unknown": {func(_ *owner, link *invite.Link) { link.Secret[3] ^= 1 }, ErrUnknown},
		"failing": {func(o *owner, _ *invite.Link) { o.fail = errors.New("disk full") }, ErrUnavailable},
		"denied":  {func(o *owner, _ *invite.Link) { o.fail = ErrDenied }, ErrDenied},
	} {
		o := newOwner(t)
		link := o.invite(1)
		c.spoil(o, &link)
		if _, err := Join(t.Context(), to(t, o), link, Applicant{Seed: newSeed(t)}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJoinWithoutAPath(t *testing.T) {
	o := newOwner(t)
	d := to(t, o)
	d.err = errors.New("no route")
	link := o.invite(1)
	link.Addrs = []string{"/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.2/udp/1/quic-v1/p2p/" + admitterPeer, "nonsense",
		"/ip4/192.0.2.3/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"}
	if _, err := Join(t.Context(), d, link, Applicant{Seed: newSeed(t)}); !errors.Is(err, ErrUnreachable) || !errors.Is(err, d.err) {
		t.Fatal(err)
	}
	if d.to.ID.String() != admitterPeer || len(d.to.Addrs) != 2 || d.to.Addrs[1].String() != "/ip4/192.0.2.2/udp/1/quic-v1" {
		t.Fatal(d.to)
	}
	link.PeerID = "x"
	if _, err := Join(t.Context(), d, link, Applicant{Seed: newSeed(t)}); !errors.Is(err, invite.ErrLink) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Join(ctx, d, o.invite(1), Applicant{Seed: newSeed(t)}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// noMeshes is a node in no mesh.
type noMeshes struct{}

func (noMeshes) List() []host.Mesh { return nil }

func node(t *testing.T) *host.Host {
	key, _, err := crypto.GenerateKeyPair(crypto.Ed25519, 0)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := multiaddr.NewMultiaddr("/ip4/127.0.0.1/tcp/0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Config{
		Key: key, Listen: []multiaddr.Multiaddr{addr}, Meshes: noMeshes{},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func run(t *testing.T, h *host.Host) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	<-h.Ready()
}

// TestJoinOverAHost: two nodes that have nothing in common but a link.
func TestJoinOverAHost(t *testing.T) {
	o := newOwner(t)
	far, near := node(t), node(t)
	Register(far, o, nil, quiet)
	run(t, far)
	run(t, near)
	link := o.invite(1)
	link.PeerID = far.ID().String()
	for _, a := range far.Addrs() {
		link.Addrs = append(link.Addrs, a.String())
	}
	a, err := Join(t.Context(), OverHost(near), link, Applicant{Seed: newSeed(t), Name: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if peer.ID(a.Member.Peer) != near.ID() {
		t.Fatal("admitted with another peer id")
	}
}
