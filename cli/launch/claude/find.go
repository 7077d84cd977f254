package claude

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// EnvClaude names Claude Code's program.
const EnvClaude = "CLAUDE_BIN"

// Find finds Claude Code: where the environment says, in the places where it installs
// itself, or in PATH. It fails with ErrNoClaude.
func Find(getenv func(string) string) (string, error) {
	if named := getenv(EnvClaude); named != "" {
		path, err := exec.LookPath(named)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			return "", fmt.Errorf("%w: %s names %s", ErrNoClaude, EnvClaude, named)
		}
		return path, nil
	}
	places := []string{"/usr/local/bin"}
	if home, err := os.UserHomeDir(); err == nil {
		places = []string{filepath.Join(home, ".local", "bin"), "/usr/local/bin", filepath.Join(home, ".claude", "bin")}
	}
	name := "claude"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range places {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("claude")
	if err != nil {
		return "", ErrNoClaude
	}
	return path, nil
}
