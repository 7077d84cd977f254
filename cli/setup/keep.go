package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// keepCopies is how many copies of a file are kept.
const keepCopies = 5

// note remembers what was written into a file, so that it can be taken back to the byte
// as long as nobody else has changed it.
type note struct {
	// After is the SHA-256 of the file as it was written, hex.
	After string `json:"after"`
	// Before names the copy of the file without anything of ours; empty: there was no
	// file.
	Before string `json:"before,omitempty"`
}

// vault is the folder of copies and notes.
type vault string

func (v vault) notesPath() string { return filepath.Join(string(v), "notes.json") }

// notes are those of all files, by path. Without readable ones nothing is known.
func (v vault) notes() map[string]note {
	out := map[string]note{}
	text, err := file.Read(v.notesPath())
	if err != nil || json.Unmarshal(text, &out) != nil {
		return map[string]note{}
	}
	return out
}

// set writes a note, or forgets it.
func (v vault) set(path string, n *note) error {
	all := v.notes()
	if n == nil {
		if _, ok := all[path]; !ok {
			return nil
		}
		delete(all, path)
	} else {
		all[path] = *n
	}
	if err := file.Dir(string(v)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return file.Write(v.notesPath(), append(text, '\n'))
}

// copyOf keeps a copy of a file and returns its name in the vault. It removes old copies
// that no note needs.
func (v vault) copyOf(c content, stamp string) (string, error) {
	if err := file.Dir(string(v)); err != nil {
		return "", fmt.Errorf("keep a copy: %w", err)
	}
	base := strings.TrimPrefix(filepath.Base(c.path), ".") + "." + digest([]byte(c.path))[:8]
	name := base + "." + stamp
	if err := file.Write(filepath.Join(string(v), name), c.data); err != nil {
		return "", fmt.Errorf("keep a copy: %w", err)
	}
	return name, v.prune(base, name)
}

func (v vault) prune(base, newest string) error {
	entries, err := os.ReadDir(string(v))
	if err != nil {
		return err
	}
	needed := []string{newest}
	for _, n := range v.notes() {
		needed = append(needed, n.Before)
	}
	var copies []string
	for _, e := range entries { // in order of name, which is that of time
		if strings.HasPrefix(e.Name(), base+".") {
			copies = append(copies, e.Name())
		}
	}
	var failed error
	for _, name := range copies[:max(0, len(copies)-keepCopies)] {
		if !slices.Contains(needed, name) {
			failed = errors.Join(failed, os.Remove(filepath.Join(string(v), name)))
		}
	}
	return failed
}

// original is the file as it was before anything of ours came into it, if the file is
// what was written then. exists false: there was none.
func (v vault) original(c content) (data []byte, existed, known bool) {
	n, ok := v.notes()[c.path]
	if !ok || n.After != digest(c.data) {
		return nil, false, false
	}
	if n.Before == "" {
		return nil, false, true
	}
	data, err := os.ReadFile(filepath.Join(string(v), filepath.Base(n.Before)))
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return nil, false, false
	}
	return data, true, true
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
