package mesh

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/overlay/ident"
	"github.com/claudemesh/claudemesh/store/file"
)

// keyDir is the folder of member seeds inside the user's claudemesh folder.
const keyDir = "keys"

// keyPath is the file of a mesh's member seed: 64 hex digits and a newline, 0600.
func keyPath(dir string, id ident.MeshID) string {
	return filepath.Join(dir, keyDir, id.String()+".key")
}

// writeSeed keeps a member's seed. It returns once the file is on disk.
//
// Another member's seed that is there already is put aside: this node's store may have
// been lost, and the key is all that is left of that member.
func writeSeed(dir string, id ident.MeshID, seed ident.Seed) error {
	path := keyPath(dir, id)
	if old, err := readSeed(dir, id); err == nil && old != seed {
		pub := old.Member().Public()
		if err := os.Rename(path, path+".old-"+pub.String()[:8]); err != nil {
			return fmt.Errorf("put the older member key aside: %w", err)
		}
	}
	return putSeed(path, seed)
}

func putSeed(path string, seed ident.Seed) error {
	if err := file.Dir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make key folder: %w", err)
	}
	if err := file.Write(path, []byte(hex.EncodeToString(seed[:])+"\n")); err != nil {
		return fmt.Errorf("keep member key: %w", err)
	}
	return nil
}

// readSeed reads a member's seed.
func readSeed(dir string, id ident.MeshID) (ident.Seed, error) {
	path := keyPath(dir, id)
	text, err := file.Read(path)
	if err != nil {
		return ident.Seed{}, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	return decodeSeed(path, text)
}

func decodeSeed(path string, text []byte) (ident.Seed, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(ident.Seed{}) {
		return ident.Seed{}, fmt.Errorf("%w: %s does not hold 64 hex digits; restore it from a backup", ErrKeyFile, path)
	}
	return ident.Seed(raw), nil
}

// removeSeed forgets a member's seed.
func removeSeed(dir string, id ident.MeshID) error {
	if err := file.Remove(keyPath(dir, id)); err != nil {
		return errors.Join(ErrKeyFile, err)
	}
	return nil
}

// Kept is a member key that is on this machine.
type Kept struct {
	Mesh string // its id
	Seed ident.Seed
	Err  error // the file is damaged
}

// Seeds are the member keys in a claudemesh folder, in the order of mesh ids.
func Seeds(dir string) ([]Kept, error) {
	paths, err := filepath.Glob(filepath.Join(dir, keyDir, "*.key"))
	if err != nil {
		return nil, fmt.Errorf("list key files: %w", err)
	}
	var out []Kept
	for _, path := range paths {
		id, err := ident.ParseMeshID(strings.TrimSuffix(filepath.Base(path), ".key"))
		if err != nil {
			continue // none of ours
		}
		one := Kept{Mesh: id.String()}
		one.Seed, one.Err = readSeed(dir, id)
		out = append(out, one)
	}
	return out, nil
}
