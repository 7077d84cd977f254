package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the commands that no script calls, as they serve for as long as they
// run, and where they are tested.
var elsewhere = map[string]string{
	"mcp":      "here in session_test.go, and by every test with an agent",
	"node run": "here in node.txtar what it refuses, and by every test with a node",
}

// Every command is called in a script at least once as it should be and once as it
// should not, with what is said then.
func TestEveryCommandIsInAScript(t *testing.T) {
	right, wrong := map[string]bool{}, map[string]bool{}
	commands := tree(t, nil)
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, name := range called(line, commands) {
				if failing.MatchString(line) {
					wrong[name] = true
				} else {
					right[name] = true
				}
			}
		}
	}
	if len(commands) < 30 {
		t.Errorf("only these commands were found: %q", commands)
	}
	for _, name := range commands {
		if elsewhere[name] != "" {
			continue
		}
		// Of a command with two names (see cli/resource_test.go) one is enough.
		other := twin(t, name)
		right[name], wrong[name] = right[name] || right[other], wrong[name] || wrong[other]
		if !right[name] {
			t.Errorf("no script calls `claudemesh %s` with right words", name)
		}
		if !wrong[name] {
			t.Errorf("no script calls `claudemesh %s` with wrong words", name)
		}
	}
}

// helps keeps what was asked for once.
var helps = map[string]string{}

// help is what a command says of itself.
func help(t *testing.T, path []string) string {
	t.Helper()
	key := strings.Join(path, " ")
	if text, ok := helps[key]; ok {
		return text
	}
	cmd := exec.Command(program, append(slices.Clone(path), "--help")...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "CLAUDEMESH_CONFIG_DIR="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("claudemesh %v --help: %v", path, err)
	}
	helps[key] = string(out)
	return string(out)
}

// tree lists the commands below one, as the program's own help does.
func tree(t *testing.T, path []string) []string {
	t.Helper()
	out := help(t, path)
	_, list, ok := strings.Cut(out, "\n  Commands\n")
	if !ok {
		return []string{strings.Join(path, " ")}
	}
	var names []string
	// A command of its own can hold others, too.
	if usage, _, _ := strings.Cut(out, "\n  Commands\n"); len(path) > 0 && !strings.Contains(usage, "<command>") {
		names = append(names, strings.Join(path, " "))
	}
	for line := range strings.Lines(list) {
		name := strings.Fields(line)
		if len(name) == 0 {
			break
		}
		names = append(names, tree(t, append(slices.Clone(path), name[0]))...)
	}
	return names
}

// twin is the other name of a command, as its help tells it, or "".
func twin(t *testing.T, name string) string {
	t.Helper()
	_, line, _ := strings.Cut(help(t, strings.Fields(name)), "    also: ")
	line, _, _ = strings.Cut(line, "\n")
	names := strings.Split(line, ", ")
	return strings.TrimPrefix(names[len(names)-1], "claudemesh ")
}

// failing is a line of a script whose command must fail.
var failing = regexp.MustCompile(`^\s*(?:status [1-9]\d* |! exec )`)

var word = regexp.MustCompile(`\bclaudemesh ((?:[a-z-]+ ?)+)`)

// called lists the commands that a line of a script calls.
func called(line string, commands []string) []string {
	var out []string
	for _, found := range word.FindAllStringSubmatch(line, -1) {
		words := strings.Fields(found[1])
		for n := min(2, len(words)); n > 0; n-- {
			if name := strings.Join(words[:n], " "); slices.Contains(commands, name) {
				out = append(out, name)
				break
			}
		}
	}
	return out
}
