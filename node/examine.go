package node

import (
	"errors"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/claudemesh/claudemesh/store"
)

// ExamineStore says whether a node could open the store in a claudemesh folder, as
// [store.Examine] does. A node that runs there has it open (store.ErrLocked).
func ExamineStore(dir string) error {
	return store.Examine(filepath.Join(dir, "node.db"), schema)
}

// errSign: a key does not sign what its public half verifies.
var errSign = errors.New("the node key does not sign what its public half verifies")

// ExamineKey reads the node's key in a claudemesh folder, tries it, and returns the
// node's id on the network. A missing one is fs.ErrNotExist.
func ExamineKey(dir string) (id string, err error) {
	key, err := readNodeKey(filepath.Join(dir, "node.key"))
	if err != nil {
		return "", err
	}
	text := []byte("claudemesh doctor")
	signed, err := key.Sign(text)
	if err != nil {
		return "", errors.Join(errSign, err)
	}
	if ok, err := key.GetPublic().Verify(text, signed); err != nil || !ok {
		return "", errors.Join(errSign, err)
	}
	p, err := peer.IDFromPrivateKey(key)
	return p.String(), err
}
