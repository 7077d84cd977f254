//go:build unix

package file_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/claudemesh/claudemesh/store/file"
)

// A pipe under a file's name, to which nobody writes, holds nobody up.
func TestReadTakesNoPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Read(path); !errors.Is(err, file.ErrNotPlain) {
		t.Errorf("%v", err)
	}
}
