package run

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/cli/settings"
	"github.com/claudemesh/claudemesh/cli/upgrade"
	"github.com/claudemesh/claudemesh/cli/upgrade/release"
	"github.com/claudemesh/claudemesh/node/op"
)

// Upgrader upgrades this very program.
func (a *App) Upgrader(url string) (*upgrade.Upgrader, error) {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		return nil, op.Errorf(op.Unavailable, "this program cannot be found on the disk: %w", err).WithHint("start it by its full path")
	}
	cfg := upgrade.Config{URL: url, Version: a.Env.Version, Executable: exe}
	if url == "" {
		return upgrade.New(cfg), nil
	}
	if cfg.Key, err = release.ParseKey(a.Env.ReleaseKey); err != nil {
		return nil, op.Errorf(op.Denied, "this build holds no key to check releases with").
			WithHint("install a release by hand, or build with `make release` and a RELEASE_KEY")
	}
	return upgrade.New(cfg), nil
}

// noticeLimit is how long looking for a newer release may hold up a command's end.
const noticeLimit = 2 * time.Second

// Newer is the version of a newer release, if an address of releases is set and nobody has
// asked there within 24 hours; else, and when it does not answer soon, empty.
func (a *App) Newer(ctx context.Context, dir string, set settings.Settings) string {
	if set.UpdateURL.Value == "" || !upgrade.Due(dir, time.Now()) {
		return ""
	}
	up, err := a.Upgrader(set.UpdateURL.Value)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, noticeLimit)
	defer cancel()
	found, err := up.Check(ctx)
	if err != nil || !found.Newer {
		return ""
	}
	return found.Version
}
