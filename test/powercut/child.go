package powercut

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	ackFile  = ".powercut-acks"
	envChild = "CLAUDEMESH_POWERCUT_CHILD"
	envDir   = "CLAUDEMESH_POWERCUT_DIR"
)

// Ack records in the mount dir that id was promised: whatever was synced
// before Ack was called counts as synced before it. ids are not empty and
// have no line feeds. It may be called by any process and goroutine. Outside a
// mount it writes a file that nobody reads.
func Ack(dir, id string) error {
	if id == "" || strings.ContainsRune(id, '\n') {
		return fmt.Errorf("powercut: invalid id %q", id)
	}
	f, err := os.OpenFile(filepath.Join(dir, ackFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id + "\n")
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// Self gives a Config.Child that runs the test binary again as the child of
// that name; see Main. env are more variables, as KEY=VALUE.
func Self(name string, env ...string) func(dir string) *exec.Cmd {
	return func(dir string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		// A race detector sleeps a second before it ends, unless told not to.
		cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...)
		cmd.Env = append(cmd.Env, envChild+"="+name, envDir+"="+dir)
		cmd.Env = append(cmd.Env, env...)
		return cmd
	}
}

// Main is called first in TestMain. In a process started by Self it runs the
// child of that name and exits, with status 1 if it fails; otherwise it
// returns at once.
func Main(children map[string]func(dir string) error) {
	name, dir := os.Getenv(envChild), os.Getenv(envDir)
	if name == "" {
		return
	}
	child, ok := children[name]
	err := fmt.Errorf("powercut: no child %q", name)
	if ok {
		err = child(dir)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
