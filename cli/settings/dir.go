package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/claudemesh/claudemesh/store/file"
)

// EnvDir names the user's claudemesh folder.
const EnvDir = "CLAUDEMESH_CONFIG_DIR"

// ErrHome means that there is no home folder to put the claudemesh folder in.
var ErrHome = errors.New("your home folder is not known")

// Folder is the user's claudemesh folder.
type Folder struct {
	// Path is absolute. The folder exists and belongs to the user alone (0700).
	Path string
	// Stale is the folder that the environment names and that does not exist, else
	// empty: then Path is the default one.
	Stale string
}

// Find returns the folder, and makes the default one where it is needed and
// missing. A folder named by the environment is never made: a name left over from
// something that has ended would otherwise look like a machine without meshes.
func Find(getenv func(string) string) (Folder, error) {
	f, info, err := locate(getenv)
	switch {
	case err != nil:
		return f, err
	case info != nil:
		return f, guard(f.Path, info)
	}
	return f, private(f.Path)
}

// Locate is Find for who only wants to look: it makes nothing and changes no rights.
func Locate(getenv func(string) string) (Folder, error) {
	f, _, err := locate(getenv)
	return f, err
}

// locate finds the folder; info describes one that the environment names.
func locate(getenv func(string) string) (Folder, os.FileInfo, error) {
	named := getenv(EnvDir)
	if named != "" {
		path, err := filepath.Abs(named)
		if err != nil {
			return Folder{}, nil, fmt.Errorf("%s: %w", EnvDir, err)
		}
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return Folder{Path: path}, info, nil
		case err == nil:
			return Folder{}, nil, fmt.Errorf("%s: %s is not a folder", EnvDir, path)
		case !errors.Is(err, os.ErrNotExist):
			return Folder{}, nil, fmt.Errorf("%s: %w", EnvDir, err)
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return Folder{}, nil, fmt.Errorf("%w: %w", ErrHome, err)
	}
	return Folder{Path: filepath.Join(home, ".claudemesh"), Stale: named}, nil, nil
}

// guard makes a folder that the user named private, unless it is plainly in use
// for something else: closing, say, the system's temporary folder would break more
// than it protects.
func guard(path string, info os.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("%s: %w", EnvDir, err)
	}
	ours := len(entries) == 0
	for _, e := range entries {
		ours = ours || slices.Contains(marks, e.Name())
	}
	if !ours {
		return fmt.Errorf("%s: %s holds other things and is open to others; make a folder of its own for claudemesh", EnvDir, path)
	}
	return private(path)
}

// marks are names by which a folder of ours is known.
var marks = []string{"config.json", "node.key", "keys"}

func private(path string) error {
	if err := file.Dir(path); err != nil {
		return fmt.Errorf("the claudemesh folder: %w", err)
	}
	return nil
}
