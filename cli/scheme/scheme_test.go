package scheme_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/cli/scheme"
)

func TestOnlyLinksMayBeOpened(t *testing.T) {
	for text, good := range map[string]bool{
		"claudemesh://join/AbC_-09":                      true,
		"claudemesh://i/AbC09xyz":                        true,
		"claudemesh://AbC09xyz":                          true,
		"claudemesh://join/" + strings.Repeat("a", 4096): true,
		"claudemesh://join/" + strings.Repeat("a", 4200): false,
		"":                             false,
		"claudemesh://":                false,
		"claudemesh://join/":           false,
		"claudemesh://join/a/b":        false,
		"claudemesh://join/a?b":        false,
		"claudemesh://join/a#b":        false,
		"claudemesh://join/a b":        false,
		"claudemesh://join/a\n":        false,
		"claudemesh://join/a%20b":      false,
		"claudemesh://join/$(id)":      false,
		"claudemesh://join/`id`":       false,
		"claudemesh://join/a;id":       false,
		"claudemesh://join/a'b":        false,
		`claudemesh://join/a" --yes "`: false,
		"claudemesh://join/\x1b[2J":    false,
		"claudemesh://join/ä":          false,
		"claudemesh://join/../x":       false,
		"Claudemesh://join/abc":        false,
		"https://example.org/join/abc": false,
		"--help":                       false,
		" claudemesh://join/abc":       false,
		"claudemesh://join/abc\u202e":  false,
	} {
		if err := scheme.Check(text); (err == nil) != good || err != nil && !errors.Is(err, scheme.ErrLink) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("claudemesh://join/abc")
	f.Add("claudemesh://join/$(id)")
	f.Fuzz(func(t *testing.T, text string) {
		if scheme.Check(text) != nil {
			return
		}
		for _, r := range strings.TrimPrefix(text, "claudemesh://") {
			if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/", r) {
				t.Fatalf("%q has %q", text, r)
			}
		}
	})
}

// What is registered holds the path as it is, quoted so that nothing in it counts.
func TestThePathIsQuoted(t *testing.T) {
	for exe, want := range map[string][3]string{
		"/usr/bin/claudemesh":  {`Exec="/usr/bin/claudemesh" open-link %u`, `quoted form of "/usr/bin/claudemesh" & " open-link "`, `"/usr/bin/claudemesh" open-link "%1"`},
		"/home/a b/claudemesh": {`Exec="/home/a b/claudemesh" open-link %u`, `quoted form of "/home/a b/claudemesh" &`, `"/home/a b/claudemesh" open-link "%1"`},
		"/x/$HOME`id`":         {"Exec=\"/x/\\\\$HOME\\\\`id\\\\`\" open-link %u", "quoted form of \"/x/$HOME`id`\" &", "\"/x/$HOME`id`\" open-link"},
		`/x/a\b`:               {`Exec="/x/a\\\\b" open-link %u`, `quoted form of "/x/a\\b" &`, `"/x/a\b" open-link`},
		`/x/100%`:              {`Exec="/x/100%%" open-link %u`, `quoted form of "/x/100%" &`, ""},
		`/x/a"b`:               {`Exec="/x/a\\"b" open-link %u`, `quoted form of "/x/a\"b" &`, ""},
	} {
		desktop, err := scheme.Desktop(exe)
		if err != nil || !strings.Contains(desktop, want[0]+"\n") || !strings.Contains(desktop, "MimeType=x-scheme-handler/claudemesh;\n") {
			t.Errorf("%s: %v\n%s", exe, err, desktop)
		}
		script, err := scheme.AppleScript(exe)
		if err != nil || !strings.Contains(script, want[1]) || !strings.Contains(script, "& quoted form of theLink\n") {
			t.Errorf("%s: %v\n%s", exe, err, script)
		}
		values, err := scheme.Registry(exe)
		if want[2] == "" {
			if !errors.Is(err, scheme.ErrPath) {
				t.Errorf("%s: %v", exe, err)
			}
			continue
		}
		if err != nil || len(values) != 3 || !strings.Contains(values[2].Text, want[2]) || values[1].Name != "URL Protocol" ||
			values[2].Key != `Software\Classes\claudemesh\shell\open\command` {
			t.Errorf("%s: %v, %+v", exe, err, values)
		}
	}
	for _, exe := range []string{"", "/x/a\nExec=evil", "/x/\x1b"} {
		if _, err := scheme.Desktop(exe); !errors.Is(err, scheme.ErrPath) {
			t.Errorf("%q: %v", exe, err)
		}
	}
}

// desk is a desktop that remembers what was run.
type desk struct {
	scheme.Config
	ran []string
}

func newDesk(t *testing.T, goos string, lacks ...string) *desk {
	d := &desk{}
	home := t.TempDir()
	d.Config = scheme.Config{
		GOOS: goos, Exe: "/usr/bin/claudemesh", Home: home, Data: filepath.Join(home, "data"),
		Run: func(_ context.Context, name string, args ...string) error {
			d.ran = append(d.ran, filepath.Base(name)+" "+strings.Join(args, " "))
			if slices.Contains(lacks, name) {
				return errors.New("not found")
			}
			if name == "osacompile" {
				return os.MkdirAll(filepath.Join(args[1], "Contents"), 0o755)
			}
			return nil
		},
	}
	return d
}

func TestLinux(t *testing.T) {
	d := newDesk(t, "linux")
	done, err := scheme.Install(t.Context(), d.Config)
	if err != nil || !done.Changed || len(done.Notes) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	want, err := scheme.Desktop(d.Exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.Data, "applications", "claudemesh.desktop")
	if text, err := os.ReadFile(path); err != nil || string(text) != want || done.Where != path {
		t.Errorf("%v\n%s", err, text)
	}
	if !slices.Contains(d.ran, "xdg-mime default claudemesh.desktop x-scheme-handler/claudemesh") {
		t.Errorf("ran %q", d.ran)
	}
	if again, err := scheme.Install(t.Context(), d.Config); err != nil || again.Changed {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	for _, changed := range []bool{true, false} {
		if gone, err := scheme.Uninstall(t.Context(), d.Config); err != nil || gone.Changed != changed {
			t.Errorf("uninstall: %+v, %v", gone, err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is still there")
	}
	bare := newDesk(t, "linux", "xdg-mime", "update-desktop-database")
	if done, err := scheme.Install(t.Context(), bare.Config); err != nil || len(done.Notes) != 1 {
		t.Errorf("without xdg-mime: %+v, %v", done, err)
	}
}

func TestMac(t *testing.T) {
	d := newDesk(t, "darwin")
	done, err := scheme.Install(t.Context(), d.Config)
	if err != nil || !done.Changed {
		t.Fatalf("%+v, %v", done, err)
	}
	app := filepath.Join(d.Home, "Library", "Application Support", "claudemesh", "ClaudemeshHandler.app")
	all := strings.Join(d.ran, "\n")
	for _, want := range []string{
		"osacompile -o " + app, "CFBundleIdentifier -string com.claudemesh.handler", `"CFBundleURLSchemes":["claudemesh"]`, "lsregister -f " + app,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was not run:\n%s", want, all)
		}
	}
	if again, err := scheme.Install(t.Context(), d.Config); err != nil || again.Changed {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	for _, changed := range []bool{true, false} {
		if gone, err := scheme.Uninstall(t.Context(), d.Config); err != nil || gone.Changed != changed {
			t.Errorf("uninstall: %+v, %v", gone, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(app)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	broken := newDesk(t, "darwin", "osacompile")
	if _, err := scheme.Install(t.Context(), broken.Config); err == nil || !strings.Contains(err.Error(), "osacompile") {
		t.Errorf("without osacompile: %v", err)
	}
}

func TestOtherSystems(t *testing.T) {
	d := newDesk(t, "plan9")
	if _, err := scheme.Install(t.Context(), d.Config); !errors.Is(err, scheme.ErrSystem) {
		t.Error(err)
	}
	if _, err := scheme.Uninstall(t.Context(), d.Config); !errors.Is(err, scheme.ErrSystem) {
		t.Error(err)
	}
}
