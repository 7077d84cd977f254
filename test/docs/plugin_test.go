package docs_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/cli/setup"
)

// TestPluginIsCurrent compares the plugin folder with what the program would write. -update
// writes it.
func TestPluginIsCurrent(t *testing.T) {
	files, err := setup.Plugin(cli.Skill())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..", "packaging")
	for path, want := range files {
		full := filepath.Join(root, filepath.FromSlash(path))
		if *update {
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(full)
		if err != nil || !bytes.Equal(have, want) {
			t.Errorf("packaging/%s is not current (%v): run `go test ./test/docs -run Plugin -update`", path, err)
		}
	}
	err = filepath.WalkDir(filepath.Join(root, "plugin"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if _, ok := files[filepath.ToSlash(rel)]; !ok {
			t.Errorf("packaging/%s belongs to nothing", rel)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
