package local

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// maxPath is the longest socket path in bytes that every system takes: macOS has
// room for 104 with the closing zero.
const maxPath = 103

// SocketPath returns the path of the socket of the node that serves the claudemesh
// folder dir: node.sock inside it.
//
// Where that is longer than a socket's path may be, it is a name derived from dir
// in a folder of the user's own (see shortDir). It depends on the folder and the
// user alone, on no variable of the environment: a session whose temporary folder
// is another one finds the same node.
func SocketPath(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if path := filepath.Join(dir, "node.sock"); len(path) <= maxPath {
		return path
	}
	sum := sha256.Sum256([]byte(filepath.Clean(dir)))
	return filepath.Join(shortDir(), hex.EncodeToString(sum[:8])+".sock")
}
