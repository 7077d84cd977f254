package mesh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/join"
	"github.com/claudemesh/claudemesh/overlay/join/code"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
	"github.com/claudemesh/claudemesh/store/file"
)

// joinFor is how long joining may take.
const joinFor = 60 * time.Second

// errAlready ends a join to a mesh this node is in.
var errAlready = errors.New("already in this mesh")

// answerJoin claims an invite and enters the mesh. The new member's seed is on disk
// before the claim leaves, under a name made from the invite, so that joining again
// after a crash is the same person asking again.
func (a *Meshes) answerJoin(ctx context.Context, _ op.Caller, in JoinRequest) (JoinResponse, error) {
	name := in.Member
	if name == "" {
		name = a.cfg.Name
	}
	if err := op.CheckNewName(name); err != nil {
		return JoinResponse{}, err
	}
	a.entering.Lock()
	defer a.entering.Unlock()
	ctx, cancel := context.WithTimeout(ctx, joinFor)
	defer cancel()
	link, err := a.linkOf(ctx, in)
	if err != nil {
		return JoinResponse{}, err
	}
	return a.join(ctx, link, name)
}

// linkOf is the link of a request, which may name a spoken code instead.
func (a *Meshes) linkOf(ctx context.Context, in JoinRequest) (invite.Link, error) {
	if code.Looks(in.Link) {
		return a.redeem(ctx, in.Link, in.At)
	}
	link, err := invite.ParseLink(in.Link)
	if err != nil {
		return link, op.Errorf(op.Invalid, "%w", err).
			WithHint("copy the whole link, from claudemesh:// to its end, and put it in quotes")
	}
	return link, nil
}

func (a *Meshes) join(ctx context.Context, link invite.Link, name string) (JoinResponse, error) {
	pending := a.pendingPath(link.Secret)
	seed, err := pendingSeed(pending)
	if err != nil {
		return JoinResponse{}, diskError(err)
	}
	var offer invite.Offer
	got, err := a.cfg.Net.Join(ctx, link, join.Applicant{Seed: seed, Name: name, Accept: func(o invite.Offer) error {
		offer = o
		if _, in := a.Get(o.Mesh()); in {
			return errAlready
		}
		return nil
	}})
	if errors.Is(err, errAlready) {
		m, _ := a.Get(offer.Mesh())
		return JoinResponse{Info: m.Info(), Already: true, InvitedBy: offer.Card.Inviter}, file.Remove(pending)
	}
	if err != nil {
		return JoinResponse{}, joinError(err)
	}
	keys := make(map[string][]byte)
	for id, key := range got.Ring.Keys() {
		keys[string(id[:])] = key[:]
	}
	m, err := a.enter(ctx, seed, got.Log.Entries(), keys)
	if err != nil {
		return JoinResponse{}, err
	}
	m.metInviter(got.Offer.Invite.Admitter, link.PeerID, link.Addrs)
	return JoinResponse{Info: m.Info(), InvitedBy: got.Offer.Card.Inviter}, file.Remove(pending)
}

// pendingPath is the file of a seed whose claim is under way. Its name tells
// nothing of the secret.
func (a *Meshes) pendingPath(s invite.Secret) string {
	key := s.Key().Public()
	sum := sha256.Sum256(key[:])
	return filepath.Join(a.cfg.Dir, keyDir, "joining-"+hex.EncodeToString(sum[:8])+".key")
}

// pendingSeed reads the seed of a claim that was begun before, or makes one.
func pendingSeed(path string) (ident.Seed, error) {
	text, err := file.Read(path)
	switch {
	case err == nil:
		return decodeSeed(path, text)
	case !errors.Is(err, fs.ErrNotExist):
		return ident.Seed{}, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	seed, err := ident.NewSeed()
	if err != nil {
		return ident.Seed{}, err
	}
	return seed, putSeed(path, seed)
}

// joinError gives a failed join its code. Its sentences say the next step already.
func joinError(err error) error {
	codes := []struct {
		err  error
		code op.Code
	}{
		{join.ErrExpired, op.Expired}, {join.ErrSpent, op.Conflict}, {join.ErrEnded, op.Denied},
		{join.ErrUnknown, op.NotFound}, {join.ErrDenied, op.Denied}, {join.ErrUnavailable, op.Unavailable},
		{join.ErrUnreachable, op.Offline}, {join.ErrInvite, op.Invalid}, {join.ErrWelcome, op.Invalid},
		{invite.ErrLink, op.Invalid},
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return op.Errorf(c.code, "%w", err)
		}
	}
	return err
}
