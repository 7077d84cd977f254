//go:build unix

package cli_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

const (
	// firstByte is how long any command may be silent while a node runs, and firstLine
	// how long the status line, which an agent draws again and again.
	firstByte, firstLine = 100 * time.Millisecond, 30 * time.Millisecond
	// tries is how often each command is run; the best counts, as others share the machine,
	// of those that end as the first did.
	tries = 5
)

// slow are commands that have something to do before they can say anything, and what.
var slow = map[string]string{
	"inbox":  "waits for a message where there is none",
	"kick":   "asks the other nodes",
	"ping":   "asks the other nodes",
	"status": "asks the other nodes",
}

// The first byte that any command prints comes soon, or it has nothing to say. The
// figures are printed beside those of a program that does nothing. With CLAUDEMESH_LONG=1
// they are held against what is promised, which takes a machine that is not busy.
func TestTheFirstByteComesSoon(t *testing.T) {
	strict := os.Getenv("CLAUDEMESH_LONG") == "1"
	s := newStage(t)
	floor, _, _ := best(t, s.ana, tries, nothing(t))
	t.Logf("%7.1f ms  a program that does nothing", ms(floor))
	for _, c := range samples {
		words := s.words(c.right)
		name := strings.TrimPrefix(commandOf(t, words).CommandPath(), "claudemesh ")
		if name == "node down" || name == "restore" {
			continue // no node runs afterwards: below
		}
		h := s.ana
		if c.ben {
			h = s.ben
		}
		if variable, key, ok := strings.Cut(c.kept, "="); ok {
			s.keep(variable, s.until(t, h, c.status, c.right+" --json").Stdout, key)
		}
		limit, n := firstByte, tries
		if slow[name] != "" {
			n = 1
		}
		took, status, said := best(t, h, n, program, words...)
		t.Logf("%7.1f ms  status %d  %s", ms(took), status, strings.TrimSpace(c.right+"  "+slow[name]))
		if name == "status-line" {
			limit = firstLine
		}
		switch {
		case !said:
			t.Errorf("%s prints nothing", c.right)
		case strict && slow[name] == "" && took > limit:
			t.Errorf("%s: the first byte comes after %v, an empty program takes %v", c.right, took, floor)
		}
	}
}

// What ends the node says so at once, too, though it takes long.
func TestTheFirstByteOfWhatEndsTheNode(t *testing.T) {
	strict := os.Getenv("CLAUDEMESH_LONG") == "1"
	s := newStage(t)
	for _, line := range []string{
		"backup $WORK/first.cmb --passphrase-file $WORK/phrase", "restore $WORK/first.cmb --passphrase-file $WORK/phrase", "node down",
	} {
		s.until(t, s.ana, 0, "node up")
		took, status, said := first(t, s.ana, program, s.words(line)...)
		t.Logf("%7.1f ms  status %d  %s", ms(took), status, line)
		if !said || status != 0 || strict && took > firstByte {
			t.Errorf("%s: the first byte comes after %v, status %d, printed %t", line, took, status, said)
		}
	}
}

// best is the shortest of n tries that end with the same status as the first one did,
// and whether the program printed something each time.
func best(t *testing.T, h *harness.Home, n int, path string, args ...string) (took time.Duration, status int, said bool) {
	t.Helper()
	took, status, said = first(t, h, path, args...)
	for range n - 1 {
		one, end, some := first(t, h, path, args...)
		if said = said && some; end == status {
			took = min(took, one)
		}
	}
	return took, status, said
}

// nothing builds a program that does nothing.
func nothing(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, path := filepath.Join(dir, "main.go"), filepath.Join(dir, "empty")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", path, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// first is how long a program takes until it prints something, or ends, its status, and
// whether it printed.
func first(t *testing.T, h *harness.Home, path string, args ...string) (took time.Duration, status int, said bool) {
	t.Helper()
	ctx := limited(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(h.Dir), "CLAUDEMESH_CONFIG_DIR=" + h.Dir, "CLAUDEMESH_AUTOSTART=0", "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = w, w
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	n, _ := r.Read(make([]byte, 1)) // its end counts as well
	took = time.Since(began)
	_, _ = io.Copy(io.Discard, r)
	_ = cmd.Wait() // its status tells
	return took, cmd.ProcessState.ExitCode(), n > 0
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
