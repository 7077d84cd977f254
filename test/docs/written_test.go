package docs_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the pages and files that the program makes")

// written compares what the program makes with the files below a folder of this tree, by
// path in it; -update writes them. mend says what does so.
func written(t *testing.T, folder string, files map[string][]byte, mend string) {
	t.Helper()
	for path, want := range files {
		full := filepath.Join("..", "..", folder, filepath.FromSlash(path))
		if *update {
			if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(full); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s/%s is not what the program makes (%v): run `%s`", folder, path, err, mend)
		}
	}
}

// strays finds files in a part of a folder that are not among those made; -update removes
// them.
func strays(t *testing.T, folder, part string, files map[string][]byte) {
	t.Helper()
	root := filepath.Join("..", "..", folder)
	err := filepath.WalkDir(filepath.Join(root, part), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if _, ok := files[filepath.ToSlash(rel)]; ok || err != nil {
			return err
		}
		if *update {
			return os.Remove(path)
		}
		t.Errorf("%s/%s belongs to nothing", folder, rel)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
