package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/claudemesh/claudemesh/store/file"
)

func TestHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if pid := file.Holder(path); pid != 0 {
		t.Errorf("no file: %d", pid)
	}
	lock, err := file.TryLock(path)
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	if pid := file.Holder(path); pid != os.Getpid() {
		t.Errorf("held: %d, want %d", pid, os.Getpid())
	}
	lock.Unlock()
	if pid := file.Holder(path); pid != 0 {
		t.Errorf("let go: %d", pid)
	}
}
