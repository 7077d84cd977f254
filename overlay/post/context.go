package post

import (
	"fmt"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/overlay/seal"
	"github.com/claudemesh/claudemesh/overlay/trust"
)

// Who seals in a context: the side that opened this stream, or the other.
const (
	dirOpener   = trust.DirInitiator
	dirAnswerer = trust.DirResponder
)

// newContext makes a context sealed to pub, a key of the other side, and the
// open frame that begins it.
func newContext(keys Keys, peer Peer, dir byte, pub []byte) (open, *seal.Sender, error) {
	id := seal.KeyID(pub)
	enc, sender, err := seal.NewSender(pub, seal.Info(seal.UseStream, peer.Mesh, peer.Member, id))
	if err != nil {
		return open{}, nil, fmt.Errorf("seal to the other side's key: %w", err)
	}
	self, err := keys.Self(peer.Mesh)
	if err != nil {
		return open{}, nil, err
	}
	body := trust.Stream{Member: self, ProofI: peer.ProofI, ProofR: peer.ProofR, Dir: dir, Enc: enc}.Encode()
	stmt, err := keys.Sign(peer.Mesh, ident.KindStream, body)
	if err != nil {
		return open{}, nil, fmt.Errorf("sign the stream statement: %w", err)
	}
	return open{keyID: id, statement: stmt, delivery: keys.Delivery(peer.Mesh)}, sender, nil
}

// openContext checks the other side's open frame and opens its context. It
// fails with errKey if all is well but the key is not here.
func openContext(keys Keys, peer Peer, dir byte, o open) (*seal.Recipient, error) {
	st, err := trust.CheckStream(peer.Mesh, o.statement, peer.ProofI, peer.ProofR, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStatement, err)
	}
	if st.Member != peer.Member {
		return nil, errSigner
	}
	self, err := keys.Self(peer.Mesh)
	if err != nil {
		return nil, err
	}
	private, ok := keys.Private(peer.Mesh, o.keyID)
	if !ok {
		return nil, errKey
	}
	r, err := seal.NewRecipient(private, st.Enc, seal.Info(seal.UseStream, peer.Mesh, self, o.keyID))
	if err != nil {
		return nil, fmt.Errorf("open the other side's context: %w", err)
	}
	return r, nil
}
