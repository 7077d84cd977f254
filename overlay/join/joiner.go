package join

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Proto is the protocol that nodes answer to strangers.
const Proto protocol.ID = "/claudemesh/join/1"

// Dialer reaches an admitter.
type Dialer interface {
	// Self is this node's peer id, which the claim names.
	Self() peer.ID
	// Dial connects to a peer and opens a stream of Proto.
	Dial(ctx context.Context, to peer.AddrInfo) (Stream, error)
}

// Applicant is who wants to join.
type Applicant struct {
	// Seed is the newcomer's, new for this mesh. It must be on disk before Join is called, and Join
	// called again with the same one after a crash: an admitted seed that is lost uses up the invite.
	Seed ident.Seed
	// Name is the wished name; it may be empty.
	Name string
	// Accept is asked once it is known what the invite leads to, before anything is claimed; its error
	// ends Join and is returned as it is. Nil accepts.
	Accept func(invite.Offer) error
}

// Admission is what a newcomer gets. All of it has been checked against the invite.
type Admission struct {
	// Offer is the invite as its blob described it.
	Offer invite.Offer
	// Log is the mesh's admin log; by it the applicant is Member.
	Log    *trust.Log
	Member trust.Member
	// Ring holds the keys of the head epochs, of epoch 0, and those that they lead to.
	Ring *trust.Keyring
}

// Join claims the invite of a link at its admitter and returns once the applicant is a member. It fails
// with ErrExpired, ErrSpent, ErrEnded, ErrUnknown, ErrDenied, ErrUnavailable, ErrUnreachable, ErrInvite,
// ErrWelcome, invite.ErrLink, Accept's or ctx's error; their texts say what to do next. Whenever the
// answer did not arrive or was not understood the applicant may be admitted all the same: joining again
// with the same seed tells.
func Join(ctx context.Context, d Dialer, link invite.Link, who Applicant) (Admission, error) {
	to, err := addrInfo(link)
	if err != nil {
		return Admission{}, err
	}
	s, err := d.Dial(ctx, to)
	if err != nil {
		return Admission{}, explain(ctx, err)
	}
	defer func() { _ = s.Reset() }() // nothing is lost by it: the answer is here, or an error
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	a, err := claim(s, d.Self(), link.Secret, who)
	if err != nil {
		return Admission{}, explain(ctx, err)
	}
	return a, nil
}

// addrInfo reads where a link leads. Addresses that this version does not know are left out.
func addrInfo(link invite.Link) (peer.AddrInfo, error) {
	id, err := peer.Decode(link.PeerID)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: its peer id is none", invite.ErrLink)
	}
	to := peer.AddrInfo{ID: id}
	for _, text := range link.Addrs {
		addr, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			continue
		}
		transport, last := peer.SplitAddr(addr)
		if transport != nil && (last == "" || last == id) {
			to.Addrs = append(to.Addrs, transport)
		}
	}
	return to, nil
}

// claim is the exchange on one stream.
func claim(s Stream, self peer.ID, secret invite.Secret, who Applicant) (Admission, error) {
	conn := wire.NewConn(s)
	key := secret.Key().Public()
	blob, err := request(conn, s, frame(kindAsk, key[:]), kindBlob, MaxBlob)
	if err != nil {
		return Admission{}, err
	}
	offer, err := invite.OpenBlob(secret, blob)
	if err != nil {
		return Admission{}, fmt.Errorf("%w: %w", ErrInvite, err)
	}
	if who.Accept != nil {
		if err := who.Accept(offer); err != nil {
			return Admission{}, declined{err}
		}
	}
	stmt := trust.SignClaim(offer.Mesh(), who.Seed, secret.Key(), trust.Claim{
		Invite: offer.Invite.ID, Peer: []byte(self), Name: who.Name,
	})
	sealed, err := invite.SealClaim(offer, stmt)
	if err != nil {
		return Admission{}, fmt.Errorf("%w: %w", ErrInvite, err)
	}
	welcome, err := request(conn, s, frame(kindClaim, sealed), kindWelcome, MaxWelcome)
	if err != nil {
		return Admission{}, err
	}
	return open(offer, who.Seed, welcome)
}

// declined is an error of the applicant's own Accept.
type declined struct{ error }

// request sends a frame and reads what comes back.
func request(conn *wire.Conn, s Stream, b []byte, want kind, max int) ([]byte, error) {
	if err := s.SetDeadline(time.Now().Add(longTimeout)); err != nil {
		return nil, err
	}
	if err := conn.Send(b); err != nil {
		return nil, err
	}
	return readLong(conn, want, max)
}

// open opens a welcome and checks that it lets seed take part: it is a member by an admit of its own
// claim, and knows the keys it needs.
func open(offer invite.Offer, seed ident.Seed, welcome []byte) (Admission, error) {
	sealKey := seed.Seal()
	own := trust.KeysWith(seed, sealKey)
	log, ring, err := invite.OpenWelcome(offer, own, sealKey, welcome)
	if err != nil {
		return Admission{}, fmt.Errorf("%w: %w", ErrWelcome, err)
	}
	state := log.State()
	a := Admission{Offer: offer, Log: log, Ring: ring, Member: state.Members[own.Member]}
	entry, ok := log.Get(a.Member.Admit)
	if admit, isAdmit := entry.Body().(*trust.Admit); !ok || !isAdmit || admit.Claimed.Keys.Member != own.Member {
		return Admission{}, fmt.Errorf("%w: it holds no admission of ours", ErrWelcome)
	}
	if _, _, err := ring.Effective(state.EpochHeads); err != nil {
		return Admission{}, fmt.Errorf("%w: %w", ErrWelcome, err)
	}
	if _, err := ring.Epoch0(log); err != nil {
		return Admission{}, fmt.Errorf("%w: %w", ErrWelcome, err)
	}
	return a, nil
}

// explain makes an error one that Join documents.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var own declined
	if errors.As(err, &own) {
		return own.error
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return err
		}
	}
	switch {
	case errors.Is(err, ErrInvite), errors.Is(err, ErrWelcome):
		return err
	case errors.Is(err, ErrMalformed):
		return fmt.Errorf("%w: %w", ErrInvite, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}
