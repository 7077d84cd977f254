package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/claudemesh/claudemesh/store/file"
)

// nodeKey reads this installation's libp2p key, or makes it. It is used for
// connections and nothing else; who a member is, other keys say.
func nodeKey(dir string) (crypto.PrivKey, error) {
	path := filepath.Join(dir, "node.key")
	key, err := readNodeKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeNodeKey(path)
	}
	return key, err
}

func readNodeKey(path string) (crypto.PrivKey, error) {
	raw, err := file.Read(path)
	if err != nil {
		return nil, fmt.Errorf("read node key: %w", err)
	}
	key, err := crypto.UnmarshalPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("the node key %s is damaged (restore it from a copy, or delete it: "+
			"peers then learn this node's new address from your meshes): %w", path, err)
	}
	return key, nil
}

func makeNodeKey(path string) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode node key: %w", err)
	}
	if err := file.Write(path, raw); err != nil {
		return nil, fmt.Errorf("keep node key: %w", err)
	}
	return key, nil
}

// tighten takes other users of the machine their rights on secret files that somebody
// copied or unpacked with wide modes.
func tighten(dir string) error {
	if err := file.Dir(filepath.Join(dir, "keys")); err != nil {
		return err
	}
	secrets, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
	if err != nil {
		return err
	}
	for _, path := range append(secrets, filepath.Join(dir, "node.key"), filepath.Join(dir, "node.db")) {
		if err := os.Chmod(path, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("protect %s: %w", path, err)
		}
	}
	return nil
}
