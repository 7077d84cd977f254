package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Examine says what Open would, and changes nothing.
func TestExamine(t *testing.T) {
	path := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	middle := bytes.Clone(whole)
	for i := range middle[8192:] {
		middle[8192+i] ^= 0xff
	}
	for _, c := range []struct {
		what   string
		text   []byte
		schema int
		want   error
	}{
		{"whole", whole, 1, nil},
		{"older", whole, 2, nil},
		{"newer", whole, 0, ErrNewer},
		{"empty", nil, 1, ErrBroken},
		{"cut", whole[:5000], 1, ErrBroken},
		{"something else", []byte("no store at all"), 1, ErrBroken},
		{"damaged in the middle", middle, 1, ErrBroken},
	} {
		at := filepath.Join(t.TempDir(), "store.db")
		if err := os.WriteFile(at, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Examine(at, c.schema); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, not %v", c.what, err, c.want)
		}
		after, err := os.ReadFile(at)
		if err != nil || !bytes.Equal(after, c.text) {
			t.Errorf("%s: it was changed, %v", c.what, err)
		}
	}
	if err := Examine(filepath.Join(t.TempDir(), "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	db := open(t, path)
	if err := Examine(path, 1); !errors.Is(err, ErrLocked) {
		t.Errorf("open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Examine(path, 1); err != nil {
		t.Errorf("closed: %v", err)
	}
}
