package docs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var joinLink = regexp.MustCompile(`claudemesh://join/\S+`)

// The three commands of the README's beginning: what is missing is named before anything is
// done, where the program lies is told, and run again they do what is left.
func TestMakeNewAndJoin(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	home := home(t)
	run := func(folder string, fails bool, args ...string) string {
		t.Helper()
		words := append([]string{"CLAUDEMESH_CONFIG_DIR=" + folder, "make", "--no-print-directory", "-C", repository(t)}, args...)
		out, err := command(t, home, "env", words...)
		if (err != nil) != fails {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	for target, says := range map[string]string{"new": "make new MESH=name", "join": "make join LINK=claudemesh://"} {
		if out := run("", true, target); !strings.Contains(out, says) || strings.Contains(out, "go build") {
			t.Errorf("make %s says:\n%s", target, out)
		}
	}
	for range 2 {
		out := run("", false, "new", "MESH=first-light")
		if !strings.Contains(out, `export PATH="`+filepath.Join(home, ".local", "bin")+`:$PATH"`) {
			t.Errorf("it is not said how the program is found:\n%s", out)
		}
		link := joinLink.FindString(out)
		if link == "" {
			t.Fatalf("no link:\n%s", out)
		}
		ben := filepath.Join(home, "ben")
		if out, err := command(t, home, "mkdir", "-p", ben); err != nil {
			t.Fatal(err, out)
		}
		run(ben, false, "join", "LINK="+link)
	}
}

// A link and a name come from somebody else: nothing in them is performed.
func TestMakeTakesALinkAsItIs(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	prefix := t.TempDir()
	trap := filepath.Join(prefix, "trap")
	if err := os.Mkdir(filepath.Join(prefix, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	echo := "#!/bin/sh\nprintf '<%s>' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(prefix, "bin", "claudemesh"), []byte(echo), 0o700); err != nil {
		t.Fatal(err)
	}
	for target, name := range map[string]string{"join": "LINK", "new": "MESH"} {
		for _, text := range []string{"x';touch " + trap + ";'", "x$(shell touch " + trap + ")", "x`touch " + trap + "`", `x"; touch ` + trap + `; "`} {
			out, err := command(t, prefix, "make", "-C", repository(t), target, "GO=true", "PREFIX="+prefix, name+"="+text)
			if err != nil || !strings.Contains(out, "<"+target+"><"+text+">") {
				t.Errorf("make %s %s=%s: %v\n%s", target, name, text, err, out)
			}
		}
	}
	if _, err := os.Stat(trap); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something in a link was performed: %v", err)
	}
}

// repository is this one's folder.
func repository(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
