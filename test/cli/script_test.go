package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/claudemesh/claudemesh/test/harness/harnesstest"
)

// program is the path of the built program.
var program string

func TestMain(m *testing.M) { harnesstest.Main(m, &program) }

// TestScripts runs each script with two users: ana, who is the current one, and
// ben, as whom `as ben` goes on. Both have a home of their own, listen on 127.0.0.1
// alone, and their nodes end with the script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:         filepath.Join("testdata", "script"),
		WorkdirRoot: shortDir(t),
		Setup:       setup,
		Cmds:        map[string]func(*testscript.TestScript, bool, []string){"as": as, "status": status, "keep": keep},
	})
}

// shortDir is a folder for the scripts whose name leaves room for sockets.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "cms-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

var users = []string{"ana", "ben"}

func setup(e *testscript.Env) error {
	for _, u := range users {
		home := filepath.Join(e.WorkDir, u)
		if err := os.MkdirAll(filepath.Join(home, ".claudemesh"), 0o700); err != nil {
			return err
		}
		e.Defer(func() { end(e.Vars, home) })
	}
	e.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
	e.Setenv("HOME", filepath.Join(e.WorkDir, "ana"))
	e.Setenv("USER", "ana")
	e.Setenv("CLAUDEMESH_LISTEN", "127.0.0.1:0")
	e.Setenv("CLAUDEMESH_MDNS", "0")
	e.Setenv("CLAUDEMESH_PORTMAP", "0")
	return nil
}

// end stops the node of a home.
func end(vars []string, home string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "node", "down")
	cmd.Env = append(vars, "HOME="+home, "CLAUDEMESH_CONFIG_DIR=")
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("a node outlives its test: %v\n%s", err, out))
	}
}

// as goes on as another user.
func as(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("HOME", ts.MkAbs(args[0]))
	ts.Setenv("USER", args[0])
}

// status runs a command that must exit with the status given first.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("status %d, not %d", got, want)
	}
}

// keep puts what follows a word in the last command's stdout into a variable, up to
// the next blank, quote, comma or bracket: keep NAME WORD.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	_, rest, ok := strings.Cut(ts.ReadFile("stdout"), args[1])
	if !ok {
		ts.Fatalf("no %q in stdout", args[1])
	}
	ts.Setenv(args[0], rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(r rune) bool {
		return !strings.ContainsRune(" \t\n\",)", r)
	}))])
}
