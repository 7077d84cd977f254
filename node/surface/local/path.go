package local

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
)

// maxPath is the longest socket path in bytes that every system takes: macOS has
// room for 104 with the closing zero.
const maxPath = 103

// SocketPath returns the path of the socket of the node that serves the claudemesh
// folder dir: node.sock inside it.
//
// Where that is longer than a socket's path may be, it is a name derived from dir
// in a private folder below XDG_RUNTIME_DIR or, without that, the system's
// temporary folder. Programs that are to meet must then have the same of these two
// variables.
func SocketPath(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if path := filepath.Join(dir, "node.sock"); len(path) <= maxPath {
		return path
	}
	sum := sha256.Sum256([]byte(filepath.Clean(dir)))
	name := filepath.Join("claudemesh-"+strconv.Itoa(os.Geteuid()), hex.EncodeToString(sum[:8])+".sock")
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		if path := filepath.Join(base, name); base != "" && len(path) <= maxPath {
			return path
		}
	}
	return filepath.Join(string(filepath.Separator)+"tmp", name)
}
