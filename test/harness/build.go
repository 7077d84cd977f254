package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	// EnvBin names a program to be used instead of building one.
	EnvBin = "CLAUDEMESH_BIN"
	// EnvRace, set to 1, builds with the race detector.
	EnvRace = "CLAUDEMESH_E2E_RACE"
)

const mainPackage = "github.com/claudemesh/claudemesh/cmd/claudemesh"

// Build compiles the program into dir and returns its path. It must be called
// from within the module. CLAUDEMESH_BIN names a program that is taken as it is;
// CLAUDEMESH_E2E_RACE=1 builds one that ends at its first data race.
func Build(ctx context.Context, dir string) (string, error) {
	if bin := os.Getenv(EnvBin); bin != "" {
		// To look at it makes results that are cached by `go test` depend on it.
		if _, err := os.Stat(bin); err != nil {
			return "", fmt.Errorf("%s: %w", EnvBin, err)
		}
		return filepath.Abs(bin)
	}
	bin := filepath.Join(dir, "claudemesh")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	args := []string{"build", "-o", bin}
	if os.Getenv(EnvRace) == "1" {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, mainPackage)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", mainPackage, err, strings.TrimSpace(string(out)))
	}
	return bin, nil
}
