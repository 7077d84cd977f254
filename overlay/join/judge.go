package join

import (
	"crypto/hpke"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/trust"
	"github.com/claudemesh/claudemesh/overlay/trust/invite"
)

// OpenClaim is how an Admitter opens a sealed claim: member and sealKey are its own keys in the mesh of
// inv, from is the peer it came from. The claim verifies, is for this invite, and was made by this very
// peer; whether the invite still admits is for Refusal and trust.Log.SignAdmit to say. It fails with
// ErrDenied.
func OpenClaim(mesh ident.MeshID, member ident.PublicKey, sealKey hpke.PrivateKey, inv trust.InviteState, from peer.ID, sealed []byte) (ident.Statement, trust.Claim, error) {
	stmt, err := invite.OpenClaim(mesh, member, sealKey, inv.Key, sealed)
	if err != nil {
		return ident.Statement{}, trust.Claim{}, fmt.Errorf("%w: %w", ErrDenied, err)
	}
	claim, err := trust.CheckClaim(mesh, stmt, inv.Key)
	switch {
	case err != nil:
		return ident.Statement{}, trust.Claim{}, fmt.Errorf("%w: %w", ErrDenied, err)
	case claim.Invite != inv.ID:
		return ident.Statement{}, trust.Claim{}, fmt.Errorf("%w: the claim is for another invite", ErrDenied)
	case peer.ID(claim.Peer) != from:
		return ident.Statement{}, trust.Claim{}, fmt.Errorf("%w: the claim is another node's", ErrDenied)
	}
	return stmt, claim, nil
}

// Refusal says why an invite admits nobody new at now: ErrEnded, ErrSpent, ErrExpired, or nil if it does.
func Refusal(inv trust.InviteState, now time.Time) error {
	switch {
	case inv.Ended:
		return ErrEnded
	case inv.Used >= inv.Uses:
		return ErrSpent
	case inv.Expired(now):
		return ErrExpired
	default:
		return nil
	}
}
