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
// copied or unpacked with wide modes. What a link leads to is left as it is.
func tighten(dir string) error {
	keys := filepath.Join(dir, keysName)
	if err := file.Dir(keys); err != nil {
		return err
	}
	entries, err := os.ReadDir(keys)
	if err != nil {
		return fmt.Errorf("protect the keys: %w", err)
	}
	secrets := make([]string, 0, len(entries))
	for _, e := range entries {
		secrets = append(secrets, e.Name())
	}
	return errors.Join(narrow(keys, secrets...), narrow(dir, "node.key", storeName))
}

// narrow makes files in a folder their owner's alone.
func narrow(dir string, names ...string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("protect %s: %w", dir, err)
	}
	defer root.Close()
	for _, name := range names {
		info, err := root.Lstat(name)
		if err == nil && info.Mode().IsRegular() {
			err = root.Chmod(name, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("protect %s: %w", filepath.Join(dir, name), err)
		}
	}
	return nil
}
