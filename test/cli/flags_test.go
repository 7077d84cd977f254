//go:build unix

package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/cli/manual"
	"github.com/claudemesh/claudemesh/test/harness"
)

// effect is what a flag does that can be seen.
//
// Whoever adds a flag adds a line: the command, the flag as it is typed, and want, a
// pattern that must match what comes of it with the flag and must not match without.
// What comes of it is "status=N", a line break, and what is printed on stdout and
// stderr; by look, when that is given, else by the command itself. Lines follow each
// other on one stage (see newStage), so that one may use what those before it did; one
// without a flag only sees to that.
type effect struct {
	// words is the command with all it needs but the flag.
	words string
	flag  string
	want  string
	// look is run after the command, both times.
	look string
	// before is run before the command, both times; its failure is not looked at.
	before string
	// ben runs it instead of ana; with other he looks at what she has done.
	ben, other bool
}

var effects = []effect{
	// Flags of every command.
	{words: "--json", flag: "--version", want: `"version": `},
	{words: "list", flag: "--json", want: `"schema_version": "1.0"`},
	{words: "list", flag: "--help", want: "Usage"},
	{words: "state list", flag: "--mesh nowhere", want: `^status=5\n(.|\n)*"nowhere"`},
	{words: "invite --uses 2", flag: "--quiet", want: `^status=0\nclaudemesh://\S+\n(  ⚠.*\n)?$`},
	{words: "policy set mesh.kick prompt", flag: "--yes", want: "^status=0"},
	{words: "state set k 1", flag: "--approve plan", want: "^status=7"},

	// Meshes. Most that follow need that there is one alone.
	{before: "leave guild", words: "join $GUILD", flag: "--as benno", want: "as benno", ben: true},
	{words: "leave guild", ben: true},
	{words: "leave guild --force"},
	{before: "leave extra --force", words: "new extra", flag: "--as lena", want: "You are lena"},
	{words: "leave extra --force"},
	{words: "invite", flag: "--expires 99d", want: "^status=3"},
	{words: "invite --json", flag: "--uses 7", want: `"uses": 7`},
	{words: "invite --json", flag: "--role admin", want: `"role": "admin"`},
	{words: "invite -q", flag: "--code", want: `^status=0\n[0-9]+-[a-z]+-[a-z]+\n`},
	{words: "invite -q", flag: "--name nina", look: "invites", want: "gives: .*nina"},
	{words: "invite -q", flag: "--role-tag cook", look: "invites", want: "gives: .*cook"},
	{words: "invite -q", flag: "--groups galley", look: "invites", want: "gives: .*galley"},
	{words: "invite -q", flag: "--message-mode inbox", look: "invites", want: "gives: .*inbox"},
	{words: "invite -q", flag: "--qr", want: "█"},
	{words: "invite --qr", flag: "--no-qr", want: "^status=3"},
	{words: "uninvite", flag: "--all", want: "^status=0"},
	{words: "invites", flag: "--all", want: "ended|void|withdrawn"},
	{words: "join 4-actor-zoo", flag: "--at 127.0.0.1:9", want: `127\.0\.0\.1:9`, ben: true},
	{before: "new aside2 --as ana", words: "delete aside2 -y", flag: "--everywhere aside2", want: "closed"},
	{words: "rename team crew", flag: "--here", look: "list", want: "crew", ben: true},
	{words: "rename crew team --here", ben: true},
	{words: "leave team", flag: "--force --approve plan", want: `force\\?":true`},

	// People and what they are known by.
	{words: "peers", flag: "--all", want: "offline|ben "},
	{words: "profile", flag: "--member ben", want: "ben in team|ben .*in team"},
	{words: "profile", flag: "--name annie", want: "annie"},
	{words: "profile --name ana", flag: "--role-tag pilot", want: "pilot"},
	{words: "profile", flag: "--groups deck:lead", want: "deck"},
	{words: "profile", flag: "--message-mode push", want: "Set: "},
	{words: "profile", flag: "--avatar 🦊", want: "🦊"},
	{words: "profile", flag: "--title Mate", want: "Mate"},
	{words: "profile", flag: "--bio 'Born at sea.'", want: "Born at sea"},
	{words: "profile", flag: "--capabilities knots", want: "knots"},
	{words: "profile set", flag: "--avatar 🐙", want: "🐙"},
	{words: "profile set", flag: "--title Cook", want: "Cook"},
	{words: "profile set", flag: "--bio 'Born ashore.'", want: "Born ashore"},
	{words: "profile set", flag: "--capabilities soup", want: "soup"},
	{words: "ping", flag: "--priority low", want: "low"},
	{words: "status set dnd", flag: "--session robin", want: "^status=0"},
	{words: "visible off", flag: "--session robin", want: "^status=0"},
	{words: "summary reading", flag: "--session robin", want: "^status=0"},
	{words: "group join eng", flag: "--session robin", want: "^status=0"},
	{words: "group leave eng", flag: "--session robin", want: "^status=0"},
	{words: "group join eng --session robin", flag: "--role lead", want: "@eng:lead"},

	// Messages.
	{words: "send ben hello --json", flag: "--priority low", look: "inbox --wait 20 --json", want: `"priority": "low"`, other: true},
	{words: "send ben hello", flag: "--reply-to 7", want: "^status=3"},
	{words: "send ben hello --json", flag: "--id 01890a5d-ac96-7cce-8abc-0123456789ab", want: `"id": "01890a5d-ac96-7cce-8abc-0123456789ab"`},
	{words: "send ben hello", flag: "--expires soon", want: "^status=3"},
	{words: "inbox --wait 0", flag: "--limit 0", want: "^status=3"},
	{words: "inbox", flag: "--wait -1", want: "^status=3"},

	// Shared state.
	{words: "state set n 42", flag: "--text", want: `n = "42"`},
	{before: "state set other 1", words: "state list", flag: "--prefix o", want: `^status=0\n  other: .*\n$`},

	// Rights.
	{words: "grants read", flag: "--default", want: "^status=0"},
	{words: "grants read dm broadcast state-read --default"},
	{before: "block ben", words: "unblock ben --approve plan", flag: "--held", want: `held\\?":true`},
	{before: "unblock ben", words: "verify ben", flag: "--with-grants", want: "read"},
	{words: "verify ben", flag: "--mark", want: "verified [0-9]"},
	{before: "verify ben --mark", words: "verify ben", flag: "--unmark", want: "not verified yet"},
	{words: "promote ben --approve plan", flag: "--role service", want: "service"},
	{words: "unban ben --approve plan", flag: "--role service", want: "service"},
	{words: "kick", flag: "--all --approve plan", want: "^status=7"},
	{words: "ban ben --approve plan", flag: "--keep-invites", want: "keep_invites"},
	{words: "ban ben --approve plan", flag: "--forget", want: "forget"},
	{words: "void ben --approve plan", flag: "--since yesterday", want: "yesterday"},
	{words: "void --approve plan", flag: "--entry 0123456789abcdef", want: "0123456789abcdef"},
	{words: "policy set --yes", flag: "--mode write", want: "^status=0"},

	// The account.
	{words: "audit", flag: "--since 2099-01-01T00:00:00Z", want: "Nothing was found"},
	{words: "audit", flag: "--kind mesh_made", want: `^status=0\n[^\n]*mesh_made[^\n]*\n( +Refused so far|$)`},
	{words: "audit", flag: "--member zoe", want: "Nothing was found"},
	{words: "audit", flag: "--limit 1", want: `^status=0\n[^\n]+\n  There are older ones`},
	{words: "audit --limit 1", flag: "--offset 100000", want: "Nothing was found"},

	// Programs.
	{words: "call mesh.list", flag: "--list", want: "message.send"},
	{words: "call mesh.list", flag: "--schema", want: `"input"`},
	{words: "backup $WORK/one.cmb -y", flag: "--passphrase-file $WORK/phrase", want: "^status=0"},
	{words: "restore $WORK/one.cmb", flag: "--passphrase-file $WORK/empty", want: "holds no passphrase"},
	{words: "install", flag: "--agent codex", want: `\.codex`},
	{before: "install", words: "uninstall", flag: "--agent codex", want: `^status=0\n[^\n]*/\.codex/[^\n]*\n$`},
	{before: "uninstall", words: "install --agent claude", flag: "--status-line", want: "status line"},
	{before: "uninstall", words: "install --agent claude", flag: "--no-hooks", want: `permission added\n`},
	{words: "node logs", flag: "--lines 1", want: `^status=0\n.*\n$`},
	{words: "node run", flag: "--listen nowhere", want: "nowhere|^status=3"},
	{words: "mcp", flag: "--tools all", want: "^status=3"},
	{words: "mcp", flag: "--message-mode loud", want: "^status=3"},
	{words: "mcp", flag: "--rights fly", want: `^status=3\n(.|\n)*no right "fly"`},
}

// elsewhereSeen are flags whose effect another test shows: the file, which must have it.
var elsewhereSeen = map[string]string{
	"claudemesh --as":               "testdata/script/meshes.txtar",
	"claudemesh doctor --fix":       "testdata/script/doctor.txtar",
	"claudemesh inbox --again":      "testdata/script/output.txtar",
	"claudemesh log --lines":        "documents_test.go",
	"claudemesh log --no-follow":    "testdata/script/log.txtar",
	"claudemesh log --since":        "testdata/script/log.txtar",
	"claudemesh mcp --joins":        "../e2e/modes_test.go",
	"claudemesh node down --force":  "testdata/script/flags.txtar",
	"claudemesh node run --mdns":    "testdata/script/flags.txtar",
	"claudemesh node run --portmap": "testdata/script/flags.txtar",
	"claudemesh upgrade --back":     "upgrade_test.go",
	"claudemesh upgrade --check":    "upgrade_test.go",

	"claudemesh launch --continue":                     "testdata/script/launch.txtar",
	"claudemesh launch --dangerously-skip-permissions": "testdata/script/launch.txtar",
	"claudemesh launch --groups":                       "testdata/script/launch.txtar",
	"claudemesh launch --join":                         "testdata/script/launch.txtar",
	"claudemesh launch --message-mode":                 "testdata/script/launch.txtar",
	"claudemesh launch --name":                         "testdata/script/launch.txtar",
	"claudemesh launch --non-interactive":              "testdata/script/launch.txtar",
	"claudemesh launch --plain":                        "../terminal/stories_test.go",
	"claudemesh launch --resume":                       "testdata/script/launch.txtar",
	"claudemesh launch --role":                         "testdata/script/launch.txtar",
	"claudemesh launch --system-prompt":                "testdata/script/launch.txtar",
}

// Every flag of every command does something that can be seen.
// Catalogue 13: flags accepted and ignored.
func TestEveryFlagHasAnEffect(t *testing.T) {
	s := newStage(t)
	run(t, s.ana, "new", "guild", "--as", "ana")
	s.vars["GUILD"] = strings.TrimSpace(run(t, s.ana, "invite", "--mesh", "guild", "--uses", "5", "-q"))
	seen := map[string]bool{}
	for _, e := range effects {
		h, looks := s.ana, s.ana
		if e.ben {
			h, looks = s.ben, s.ben
		}
		if e.other {
			looks = s.ben
		}
		if e.flag == "" {
			s.until(t, h, 0, e.words)
			continue
		}
		name, _, _ := strings.Cut(strings.Fields(e.flag)[0], "=")
		seen[ownerOf(t, s.words(e.words), name)] = true
		want := regexp.MustCompile(e.want)
		without := s.seen(t, h, looks, e, "")
		with := s.seen(t, h, looks, e, " "+e.flag)
		for range 3 {
			if e.look != "" && !want.MatchString(with) { // it may be on its way
				with = s.shown(t, looks, e.look)
			}
		}
		if !want.MatchString(with) {
			t.Errorf("%s %s: %q is not seen:\n%s", e.words, e.flag, e.want, with)
		}
		if want.MatchString(without) {
			t.Errorf("%s: %q is seen without %s, too:\n%s", e.words, e.want, e.flag, without)
		}
	}
	for name, file := range elsewhereSeen {
		flag := name[strings.LastIndex(name, " ")+1:]
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil || !strings.Contains(string(text), flag) {
			t.Errorf("%s: %s has no %s: %v", name, file, flag, err)
		}
		seen[name] = true
	}
	for _, cmd := range every(cli.Commands()) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if cmd.HasParent() && cmd.InheritedFlags().Lookup(f.Name) != nil || f.Name == "help" && cmd.HasParent() {
				return
			}
			if !seen[cmd.CommandPath()+" --"+f.Name] && !seen[cmd.Annotations[manual.Also]+" --"+f.Name] {
				t.Errorf("nothing shows what `%s --%s` does: add a line to effects", cmd.CommandPath(), f.Name)
			}
		})
	}
}

// seen is what comes of a command with a flag.
func (s *stage) seen(t *testing.T, h, looks *harness.Home, e effect, flag string) string {
	t.Helper()
	if e.before != "" {
		s.run(t, h, e.before)
	}
	shown := s.shown(t, h, e.words+flag)
	if e.look != "" {
		shown = s.shown(t, looks, e.look)
	}
	return shown
}

// shown is what a command ends with and prints.
func (s *stage) shown(t *testing.T, h *harness.Home, line string) string {
	t.Helper()
	out := s.run(t, h, line)
	return fmt.Sprintf("status=%d\n%s%s", out.Status, out.Stdout, out.Stderr)
}

// ownerOf is the command that a flag belongs to, and the flag.
func ownerOf(t *testing.T, words []string, flag string) string {
	t.Helper()
	cmd := commandOf(t, slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "--") }))
	for c := cmd; c != nil; c = c.Parent() {
		if f := c.LocalFlags().Lookup(strings.TrimPrefix(flag, "--")); f != nil && !inherited(c, f.Name) {
			return c.CommandPath() + " " + flag
		}
	}
	t.Errorf("%q has no flag %s", words, flag)
	return ""
}

func inherited(c *cobra.Command, name string) bool {
	return c.HasParent() && c.InheritedFlags().Lookup(name) != nil
}
