//go:build unix

package cli_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/claudemesh/claudemesh/test/harness"
)

// inBash completes the last word of a line as bash does at a press of the key, with the
// script that `claudemesh completions bash` prints, and returns what it would offer.
const inBash = `
# It is a builtin that works while bash completes.
compopt() { :; }
source "$1"
line=$2
COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 COMP_KEY=9
# Words as bash has them: split at blanks and at the characters of COMP_WORDBREAKS.
COMP_WORDS=()
word=
for ((i = 0; i < ${#line}; i++)); do
	c=${line:i:1}
	case $c in
	' ') [[ -n $word ]] && COMP_WORDS+=("$word"); word= ;;
	[@:=]) [[ -n $word ]] && COMP_WORDS+=("$word"); COMP_WORDS+=("$c"); word= ;;
	*) word+=$c ;;
	esac
done
if [[ -n $word || $line == *' ' ]]; then
	COMP_WORDS+=("$word")
fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__start_claudemesh
printf '%s\n' "${COMPREPLY[@]}"
`

// script writes the completions of a shell into a file.
func script(t *testing.T, h *harness.Home, shell string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "completions."+shell)
	if err := os.WriteFile(path, []byte(run(t, h, "completions", shell)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// offered runs a shell that completes a line.
func offered(t *testing.T, h *harness.Home, shell string, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "HOME="+filepath.Dir(h.Dir), "CLAUDEMESH_CONFIG_DIR="+h.Dir, "TERM=dumb")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		// Behind a name may stand what it is.
		word, _, _ := strings.Cut(strings.TrimRight(line, "\n"), "  (")
		if word = strings.TrimSpace(word); word != "" {
			lines = append(lines, word)
		}
	}
	slices.Sort(lines)
	return lines
}

// named makes a mesh with a session, a group and keys of awkward names.
func named(t *testing.T) *harness.Home {
	t.Helper()
	h := newHome(t)
	run(t, h, "new", "team", "--as", "ana")
	run(t, h, "call", "session.open", `{"agent_session":"s-1","name":"robin"}`)
	run(t, h, "group", "join", "eng/css")
	for _, key := range []string{"deploy:prod", "deploy:test", "$(touch owned)", "sprint"} {
		run(t, h, "state", "set", key, "1")
	}
	return h
}

// Names of meshes, peers, groups, sessions and keys are completed in bash, with the
// characters at which it splits words. What a shell would run is not offered.
func TestCompletionsInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	h := named(t)
	path := script(t, h, "bash")
	for line, want := range map[string]string{
		"claudemesh sta":                       "state stats status",
		"claudemesh st sta":                    "",
		"claudemesh message ":                  "check send status",
		"claudemesh peers --mesh ":             "team",
		"claudemesh --mesh te":                 "team",
		"claudemesh send r":                    "robin",
		"claudemesh send @e":                   "eng/css",
		"claudemesh send robin,@":              "all eng/css",
		"claudemesh peer grant robin broad":    "broadcast",
		"claudemesh status set dnd --session ": "robin",
		"claudemesh group leave ":              "eng/css",
		"claudemesh state get s":               "sprint",
		"claudemesh state get deploy:p":        "prod",
		"claudemesh state get deploy:":         "prod test",
		"claudemesh inbox --w":                 "--wait",
		"claudemesh policy set mesh.ban p":     "prompt",
	} {
		if got := offered(t, h, bash, "--norc", "-c", inBash, "bash", path, line); strings.Join(got, " ") != want {
			t.Errorf("%q: %q, not %q", line, got, want)
		}
	}
	keys := offered(t, h, bash, "--norc", "-c", inBash, "bash", path, "claudemesh state get ")
	if strings.Join(keys, " ") != "deploy:prod deploy:test sprint" {
		t.Errorf("keys: %q", keys)
	}
}

// lines are completed alike in zsh and fish, whatever they split words at.
var lines = map[string]string{
	"claudemesh sta":                   "state stats status",
	"claudemesh message ":              "check send status",
	"claudemesh peers --mesh ":         "team",
	"claudemesh --mesh te":             "team",
	"claudemesh send r":                "robin",
	"claudemesh send @e":               "@eng/css",
	"claudemesh peer grant robin bro":  "broadcast",
	"claudemesh group leave ":          "eng/css",
	"claudemesh state get s":           "sprint",
	"claudemesh state get deploy:p":    "deploy:prod",
	"claudemesh policy set mesh.ban p": "prompt",
}

// completes has a line completed until what is wanted is offered: names that do not come at
// once, as on a busy machine, are not waited for by whoever types.
func completes(t *testing.T, line, want string, offers func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := harness.Until(ctx, func() (bool, any, error) {
		got := offers()
		return strings.Join(got, " ") == want, got, nil
	}); err != nil {
		t.Errorf("%q does not offer %q: %v", line, want, err)
	}
}

// shell finds a shell. A machine may lack it, unless CLAUDEMESH_REQUIRE_SHELLS=1.
func shell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CLAUDEMESH_REQUIRE_SHELLS") == "1":
		t.Fatalf("CLAUDEMESH_REQUIRE_SHELLS=1: there is no %s", name)
	default:
		t.Skipf("there is no %s", name)
	}
	return path
}

// Names are completed in fish.
func TestCompletionsInFish(t *testing.T) {
	fish := shell(t, "fish")
	h := named(t)
	path := script(t, h, "fish")
	for line, want := range lines {
		completes(t, line, want, func() []string {
			got := offered(t, h, fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path, line)
			for i := range got { // behind a tab stands what it is
				got[i], _, _ = strings.Cut(got[i], "\t")
			}
			return got
		})
	}
}

// inZsh has a zsh at a terminal of its own complete a line, as a press of the key does,
// and prints what is offered: what is added is printed between two lines with a NUL.
const inZsh = `
zmodload zsh/zpty || exit 3
zpty z zsh -f -i
zpty -w z "source $1 $2"
repeat 50; do
	zpty -r z line || exit 4
	[[ $line == *ready* ]] && break
done
zpty -w z "$3"$'\t'
integer seen=0
while zpty -r z; do :; done | while IFS= read -r line; do
	if [[ $line == *$'\0'* ]]; then
		(( seen++ )) && exit 0
		continue
	fi
	(( seen )) && print -r -- "$line"
done
exit 0
`

// inPty prepares the zsh at the terminal.
const inPty = `
PROMPT=
autoload -Uz compinit
compinit -u -D
source $1
bindkey '^M' undefined
bindkey '^J' undefined
bindkey '^I' complete-word
nul() { print -r -- $'\0' }
compprefuncs=(nul)
comppostfuncs=(nul exit)
zstyle ':completion:*' insert-tab false
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	local -a hits
	builtin compadd -A hits "$@"
	(( $#hits )) && print -rl -- $hits
	return $(( $#hits == 0 ))
}
print re""ady
`

// Names are completed in zsh.
func TestCompletionsInZsh(t *testing.T) {
	zsh := shell(t, "zsh")
	h := named(t)
	path, prepared := script(t, h, "zsh"), filepath.Join(t.TempDir(), "prepare.zsh")
	if err := os.WriteFile(prepared, []byte(inPty), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range lines {
		completes(t, line, want, func() []string { return offered(t, h, zsh, "-f", "-c", inZsh, "zsh", prepared, path, line) })
	}
}

// completionTime is how long completing may take: the 100 ms that are promised with
// room for the start of a process on a busy machine.
const completionTime = 10 * time.Second

// A node that takes connections and never answers is not waited for, and none at all is
// not started.
func TestCompletionsNeverWait(t *testing.T) {
	dir, err := os.MkdirTemp("", "cmc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ask := func(what string) {
		t.Helper()
		for _, words := range [][]string{{"send", ""}, {"peers", "--mesh", ""}, {"group", "join", ""}, {"state", "get", ""}, {"status", "set", "idle", "--session", ""}} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, append([]string{"__complete"}, words...)...)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CLAUDEMESH_CONFIG_DIR=" + dir}
			var said strings.Builder
			cmd.Stderr = &said
			began := time.Now()
			out, err := cmd.Output()
			took := time.Since(began)
			if err != nil || said.Len() > 0 || !strings.HasSuffix(string(out), ":4\n") {
				t.Errorf("%s, %q: %v, %q, %q", what, words, err, out, said.String())
			}
			t.Logf("%s, %q: %v", what, words, took)
			if took > completionTime {
				t.Errorf("%s, %q took %v", what, words, took)
			}
		}
	}
	ask("without a node")
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("completing left %v, %v", files, err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "node.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ask("with a node that hangs")
}
