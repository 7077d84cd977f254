package file_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/claudemesh/claudemesh/store/file"
)

func TestWriteReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	for _, want := range []string{"first", "second, longer", ""} {
		if err := file.Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := file.Read(path)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".tmp-*"))
	if err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestReadLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, file.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Read(path); !errors.Is(err, file.ErrTooLarge) {
		t.Errorf("large: %v", err)
	}
	if _, err := file.Read(path + "-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestDirTakesRightsAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := file.Dir(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
}

func TestRemoveTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := file.Write(path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := file.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
