package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"

	"github.com/claudemesh/claudemesh/cli/daemon"
	"github.com/claudemesh/claudemesh/cli/term"
	"github.com/claudemesh/claudemesh/node"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store"
)

// run runs a command that needs no node.
func run(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	dir := t.TempDir()
	status = Main(t.Context(), Env{
		Args: args, In: strings.NewReader(""), Out: &o, Err: &e, Version: "1.2.3",
		Getenv: func(name string) string {
			return map[string]string{"CLAUDEMESH_CONFIG_DIR": dir, "CLAUDEMESH_AUTOSTART": "0"}[name]
		},
		Environ: os.Environ,
	})
	return status, o.String(), e.String()
}

func TestWhatIsTypedWrong(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		want   []string // on stderr
	}{
		{"zork", 3, []string{`"claudemesh zork"`, "claudemesh --help"}},
		{"per", 3, []string{"claudemesh peer"}},
		{"pers", 3, []string{"claudemesh peers"}},
		{"sned bob hi", 3, []string{"claudemesh send"}},
		{"node statsu", 3, []string{"claudemesh node status"}},
		{"peers --jsno", 3, []string{"--jsno", "--json"}},
		{"peers -z", 3, []string{"-z"}},
		{"peers bob", 3, []string{`"bob"`}},
		{"--mesh", 3, []string{"--mesh"}},
		{"join", 3, []string{"join <link>"}},
		{"send bob", 3, []string{"send <to> <message…>"}},
		{"inbox --wait x", 3, []string{"--wait"}},
		{"inbox --wait=-1", 3, []string{"--wait"}},
		{"invite --uses many", 3, []string{"--uses"}},
		{"invite --uses 0", 3, []string{"--uses cannot be 0", "1 to 1000"}},
		{"invite bob", 3, []string{`"bob" is no e-mail address`}},
		{"inbox --wait nan", 3, []string{"--wait cannot be NaN", "86400"}},
		{"inbox --wait inf", 3, []string{"--wait"}},
		{"inbox --limit 0", 3, []string{"--limit cannot be 0"}},
		{"inbox --limit -3", 3, []string{"--limit"}},
		{"send bob hi --priority urgent", 3, []string{`"urgent"`, "idle"}},
		{"send bob -", 3, []string{"the message is empty", "stdin"}},
		{"send bob \xff", 3, []string{"argument 3 is not valid UTF-8"}},
		{"state get", 3, []string{"state get <key>"}},
		{"state set k", 3, []string{"state set <key> <value>"}},
		{"state st", 3, []string{"claudemesh state set"}},
		{"group join", 3, []string{"group join <name>"}},
		{"group jion x", 3, []string{"claudemesh group join"}},
		{"status set busy", 3, []string{`"busy"`, "idle, working, dnd"}},
		{"status sett", 3, []string{"claudemesh status set"}},
		{"visible maybe", 3, []string{"on or off"}},
		{"profile ana", 3, []string{`"ana"`}},
		{"profile --role x", 3, []string{"--role", "--role-tag"}},
		{"profile --message-mode loud", 3, []string{`"loud"`, "push"}},
		{"profile --member ben --bio x", 3, []string{"yourself"}},
		{"ping --priority soon", 3, []string{`"soon"`, "now, next, low"}},
		{"call", 3, []string{"--list"}},
		{"call peers.lst", 5, []string{"peers.list"}},
		{"call peers.list {", 3, []string{"JSON"}},
		{"help zork", 3, []string{"zork"}},
		{"http://example.org/x", 3, []string{"example.org"}},
		{"peers", 4, []string{"CLAUDEMESH_AUTOSTART=0"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := run(t, strings.Fields(c.args)...)
			if status != c.status || out != "" {
				t.Errorf("status %d, stdout %q", status, out)
			}
			for _, w := range c.want {
				if !strings.Contains(errs, w) {
					t.Errorf("stderr lacks %q: %q", w, errs)
				}
			}
			if lines := strings.Count(errs, "\n"); lines != 2 {
				t.Errorf("not one sentence and one next step: %q", errs)
			}
		})
	}
}

func TestFailuresAreDocuments(t *testing.T) {
	for _, args := range []string{"--json zork", "peers --jsno --json", "peers --json", "call nothing --json"} {
		status, out, errs := run(t, strings.Fields(args)...)
		var doc struct {
			Version string `json:"schema_version"`
			OK      *bool  `json:"ok"`
			Error   term.Failure
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%s: %q: %v", args, out, err)
		}
		if status == 0 || doc.OK == nil || *doc.OK || doc.Error.Message == "" || doc.Error.Hint == "" || errs != "" {
			t.Errorf("%s: %d, %+v, %q", args, status, doc, errs)
		}
		if !strings.HasPrefix(out, "{\n  \"schema_version\": \"1.0\",\n") {
			t.Errorf("%s: %q", args, out)
		}
	}
}

func TestVersionAndHelpComeFirst(t *testing.T) {
	for _, args := range []string{"--version", "-V"} {
		if status, out, _ := run(t, args); status != 0 || out != "  claudemesh v1.2.3\n" {
			t.Errorf("%s: %d, %q", args, status, out)
		}
	}
	for _, args := range []string{"--help", "-h", "help", "--help send", "send --help", "help send", "node", "send -h bob"} {
		status, out, errs := run(t, strings.Fields(args)...)
		if status != 0 || errs != "" || !strings.Contains(out, "Usage") {
			t.Errorf("%s: %d, %q, %q", args, status, out, errs)
		}
	}
}

// Flags may stand anywhere, and none swallows a word that is not its value.
func TestFlagsAndWords(t *testing.T) {
	for _, args := range []string{"--json peers", "peers --json", "-q --json peers", "--json -y peers", "--mesh=x --json peers", "peers --mesh x --json"} {
		if status, out, _ := run(t, strings.Fields(args)...); status != 4 || !strings.Contains(out, `"unavailable"`) {
			t.Errorf("%s: %d, %q", args, status, out)
		}
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	codes := []op.Code{
		op.NotFound, op.Ambiguous, op.Denied, op.Offline, op.Expired, op.TooLarge,
		op.RateLimited, op.Invalid, op.Conflict, op.Unavailable, op.Internal, cancelled, claudeMissing,
	}
	for _, c := range codes {
		if exits[c] == exitOK {
			t.Errorf("%s has no exit status", c)
		}
	}
	if len(exits) != len(codes) {
		t.Errorf("%d statuses for %d codes", len(exits), len(codes))
	}
}

func TestErrorsSayTheNextStep(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code op.Code
		hint string
	}{
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Message: "x"}}, op.Unavailable, "node logs"},
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Message: "x"}, Ago: 1e9}, op.Unavailable, "node up"},
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Code: "conflict", Message: "x", Hint: "do y"}}, op.Conflict, "do y"},
		{t.Context(), &daemon.StartError{Failure: daemon.Failure{Code: "odd", Message: "x", Hint: "do y"}, Ago: 1e9}, op.Unavailable, "do y; then run `claudemesh node up`"},
		{t.Context(), &daemon.HungError{PID: 7}, op.Unavailable, "kill -9 7"},
		{t.Context(), &daemon.HungError{}, op.Unavailable, "node run"},
		{t.Context(), fmt.Errorf("%w: /f: odd; move it away", store.ErrBroken), op.Unavailable, "move it away"},
		{t.Context(), fmt.Errorf("%w: /f; use that process", store.ErrLocked), op.Conflict, "use that process"},
		{t.Context(), fmt.Errorf("%w: /f; use the newer", store.ErrNewer), op.Unavailable, "use the newer"},
		{t.Context(), op.Errorf(op.Internal, "%s", store.ErrFull.Error()), op.Unavailable, "free some space"},
		{t.Context(), onDisk(errors.New("the node key is damaged")), op.Unavailable, "put that right"},
		{t.Context(), onDisk(store.ErrLocked), op.Conflict, ""},
		{t.Context(), fmt.Errorf("listen: %w", syscall.EADDRINUSE), op.Unavailable, "another address"},
		{t.Context(), &fs.PathError{Op: "open", Path: "/f", Err: syscall.EACCES}, op.Unavailable, "yours"},
		{t.Context(), &fs.PathError{Op: "write", Path: "/f", Err: syscall.ENOSPC}, op.Unavailable, "free some space"},
		{t.Context(), daemon.ErrManual, op.Unavailable, "node up"},
		{t.Context(), context.DeadlineExceeded, op.Unavailable, "node down"},
		{t.Context(), errors.New("odd"), op.Internal, "node logs"},
		{ended, fmt.Errorf("ask: %w", context.Canceled), cancelled, ""},
		{t.Context(), op.Errorf(op.Denied, "no").WithHint("ask ana"), op.Denied, "ask ana"},
	} {
		if e := asError(c.ctx, c.err); e.Code != c.code || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%v: %s, %q", c.err, e.Code, e.Hint)
		}
	}
}

// Every operation that names a command has it.
func TestOperationsHaveTheirCommands(t *testing.T) {
	a := &app{}
	root := a.root()
	for _, k := range node.Catalogue() {
		if k.Names.CLI == "" {
			continue
		}
		words := strings.Fields(k.Names.CLI)
		if i := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "<[") }); i >= 0 {
			words = words[:i]
		}
		cmd, rest, err := root.Find(words)
		if err != nil || cmd == root || len(rest) > 0 {
			t.Errorf("%s: there is no command %q", k.ID, k.Names.CLI)
			continue
		}
		use, _, _ := strings.Cut(cmd.Use, " [")
		if typed := strings.TrimPrefix(strings.TrimSuffix(cmd.CommandPath(), cmd.Name())+use, "claudemesh "); !strings.HasPrefix(k.Names.CLI, typed) {
			t.Errorf("%s: it says %q, the command %q", k.ID, k.Names.CLI, typed)
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 72 {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		if c.RunE == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
}

func TestLinks(t *testing.T) {
	for word, want := range map[string]bool{
		"claudemesh://join/abc": true, "claudemesh://i/abc": true, "ic://join/x": true,
		"https://example.org/i/abc": true, "http://example.org/es/join/abc": true,
		"https://example.org/esp/join/abc": false, "https://example.org/i/": false,
		"https://example.org/": false, "peers": false, "join/abc": false,
	} {
		if isLink(word) != want {
			t.Errorf("%s: %v", word, !want)
		}
	}
	for word, want := range map[string]string{
		"ARApyjYAEBECgi7JagYsjlUdAj":           "claudemesh://join/ARApyjYAEBECgi7JagYsjlUdAj",
		" claudemesh://join/x ":                "claudemesh://join/x",
		"eyJ2IjoxLCJtZXNoIjoiYWJjIn0aaaaaaaaa": "eyJ2IjoxLCJtZXNoIjoiYWJjIn0aaaaaaaaa",
		"short":                                "short",
	} {
		if got := asLink(word); got != want {
			t.Errorf("%q became %q", word, got)
		}
	}
}

func TestTheNodeGetsNoSecretsOfTheAgent(t *testing.T) {
	got := nodeEnviron([]string{
		"PATH=/bin", "HOME=/h", "ANTHROPIC_API_KEY=x", "CLAUDE_CODE_SESSION_ID=s", "CLAUDEMESH_LISTEN=l",
		"CLAUDEMESH_SESSION_ID=s", "CLAUDEMESH_DISPLAY_NAME=n", "CLAUDEMESH_CONFIG_DIR=old", "LC_ALL=C", "XDG_RUNTIME_DIR=/run",
	}, "/dir")
	slices.Sort(got)
	want := []string{"CLAUDEMESH_CONFIG_DIR=/dir", "CLAUDEMESH_LISTEN=l", "HOME=/h", "LC_ALL=C", "PATH=/bin", "XDG_RUNTIME_DIR=/run"}
	if !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"send", "send", 0}, {"sned", "send", 1}, {"peer", "peers", 1}, {"add", "odd", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		a, b := rapid.String().Draw(r, "a"), rapid.String().Draw(r, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (slices.Equal([]rune(a), []rune(b))) {
			r.Fatalf("distance %d", d)
		}
	})
}

func TestOnlyHere(t *testing.T) {
	for addrs, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/1 /ip6/::1/udp/1/quic-v1": true,
		"/ip4/127.0.0.1/tcp/1 /ip4/192.0.2.1/tcp/1":   false,
		"": true,
	} {
		if onlyHere(strings.Fields(addrs)) != want {
			t.Errorf("%q: %v", addrs, !want)
		}
	}
}

// A hint of the operation stays; what it leaves to its surface is told here.
func TestHintsOfSend(t *testing.T) {
	for message, hint := range map[string]string{
		`expires_in: "x" is no duration`:    "30m",
		`id: "x" is no UUID`:                "UUID",
		`reply_to: "x" is no message id: y`: "inbox",
		"something else":                    "",
	} {
		if e := op.AsError(sendHint(op.Errorf(op.Invalid, "%s", message))); !strings.Contains(e.Hint, hint) || (e.Hint == "") != (hint == "") {
			t.Errorf("%s: %q", message, e.Hint)
		}
	}
}

func TestWithoutAHome(t *testing.T) {
	var out, errs bytes.Buffer
	t.Setenv("HOME", "")
	status := Main(t.Context(), Env{
		Args: []string{"list"}, In: strings.NewReader(""), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, Environ: os.Environ,
	})
	if status != 3 || !strings.Contains(errs.String(), "set HOME") {
		t.Errorf("%d, %q", status, errs.String())
	}
}

func TestStdinThatIsNoText(t *testing.T) {
	var out, errs bytes.Buffer
	status := Main(t.Context(), Env{
		Args: []string{"send", "bob", "-"}, In: strings.NewReader("a\xffb"), Out: &out, Err: &errs,
		Getenv: func(string) string { return "" }, Environ: os.Environ,
	})
	if status != 3 || !strings.Contains(errs.String(), "stdin is not valid UTF-8") {
		t.Errorf("%d, %q", status, errs.String())
	}
}

// full is a stdout with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestNothingIsDoneThatCouldNotBeTold(t *testing.T) {
	for _, args := range []string{"--version", "--version --json", "--help", "call --list", "call --list --json", "call peers.list --schema", "node status"} {
		var errs bytes.Buffer
		dir := t.TempDir()
		status := Main(t.Context(), Env{
			Args: strings.Fields(args), In: strings.NewReader(""), Out: full{}, Err: &errs, Version: "1",
			Getenv: func(name string) string {
				return map[string]string{"CLAUDEMESH_CONFIG_DIR": dir}[name]
			},
			Environ: os.Environ,
		})
		if status != 8 || !strings.Contains(errs.String(), "✘ stdout cannot be written: no space left") || strings.Count(errs.String(), "✘") != 1 {
			t.Errorf("%s: %d, %q", args, status, errs.String())
		}
	}
}
