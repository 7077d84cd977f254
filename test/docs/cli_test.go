package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/test/harness"
)

// TestCommandPageRuns runs the sh blocks of the page about the command line, in a
// home of its own.
func TestCommandPageRuns(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cmp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := harness.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := command(t, dir, program, "node", "down"); err != nil {
			t.Errorf("a node outlives its test: %v\n%s", err, out)
		}
	})
	script := "set -eo pipefail\nexport PATH=\"" + filepath.Dir(program) + ":$PATH\"\n"
	blocks := 0
	for _, m := range fence.FindAllStringSubmatch(string(page), -1) {
		if m[1] == "sh" {
			blocks++
			script += traced(m[2])
		}
	}
	out, err := command(t, dir, bash, "-c", script)
	if err != nil || blocks < 5 {
		t.Fatalf("%d blocks, %v\n%s", blocks, err, out)
	}
	for _, want := range []string{"displayName is ana", "Made mesh docs", "sprint", "ship it", "Night shift", "No new messages", "nobody else is a member yet"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q was not seen", want)
		}
	}
}
