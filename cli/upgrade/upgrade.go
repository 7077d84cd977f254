package upgrade

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/upgrade/release"
)

// Bounds that hold if nothing else is said.
const (
	maxProgram = 256 << 20
	patience   = 30 * time.Second
	limit      = 15 * time.Minute
	tryLimit   = 20 * time.Second
)

// Config says which program is upgraded from where. URL, Key, Version and Executable
// are needed, the rest has sensible zero values.
type Config struct {
	// URL is the address of the folder in which the newest release lies.
	URL string
	// Key signs releases.
	Key ed25519.PublicKey
	// Version is that of the running program.
	Version string
	// Executable is the path of the program, with no link on the way.
	Executable string
	// GOOS and GOARCH name the system; empty: this one.
	GOOS, GOARCH string
	// MaxSize is how large a program may be, in bytes; 0: 256 MiB.
	MaxSize int64
	// Patience is how long an answer may be without a byte; 0: 30 s.
	Patience time.Duration
	// Limit is how long fetching one file may take; 0: 15 min.
	Limit time.Duration
}

// Upgrader upgrades one program. It is for one use at a time.
type Upgrader struct {
	cfg  Config
	http *http.Client
}

// New fills in what was left open. It does nothing else.
func New(cfg Config) *Upgrader {
	if cfg.GOOS == "" {
		cfg.GOOS = runtime.GOOS
	}
	if cfg.GOARCH == "" {
		cfg.GOARCH = runtime.GOARCH
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = maxProgram
	}
	if cfg.Patience == 0 {
		cfg.Patience = patience
	}
	if cfg.Limit == 0 {
		cfg.Limit = limit
	}
	cfg.URL = strings.TrimRight(cfg.URL, "/")
	return &Upgrader{cfg: cfg, http: client(cfg.Patience)}
}

// Found is the release at the address. Its signature holds.
type Found struct {
	// Version has a v before it.
	Version string
	// Newer tells whether it comes after the running one.
	Newer bool
	sums  release.Sums
}

// Check looks which release there is. It fetches three small files and changes
// nothing.
func (u *Upgrader) Check(ctx context.Context) (Found, error) {
	info, err := u.text(ctx, release.InfoName)
	if err != nil {
		return Found{}, err
	}
	text, err := u.text(ctx, release.SumsName)
	if err != nil {
		return Found{}, err
	}
	signature, err := u.text(ctx, release.SignatureName)
	if err != nil {
		return Found{}, err
	}
	sums, err := release.Verify(u.cfg.Key, text, signature)
	if err != nil {
		return Found{}, err
	}
	if err := sums.Check(release.InfoName, sha256.Sum256(info)); err != nil {
		return Found{}, err
	}
	i, err := release.ParseInfo(info)
	if err != nil {
		return Found{}, err
	}
	return Found{Version: i.Version, Newer: release.Newer(i.Version, u.cfg.Version), sums: sums}, nil
}

// text fetches one of the small files.
func (u *Upgrader) text(ctx context.Context, name string) ([]byte, error) {
	var b bytes.Buffer
	err := u.fetch(ctx, name, release.MaxText, &b)
	return b.Bytes(), err
}

// Install fetches the program of a release that Check has found and puts it in place.
// After an error the old program stands where it stood.
func (u *Upgrader) Install(ctx context.Context, f Found) error {
	name := release.Program(u.cfg.GOOS, u.cfg.GOARCH)
	if _, ok := f.sums[name]; !ok {
		return fmt.Errorf("%w: %s", release.ErrNotListed, name)
	}
	if err := u.placeable(); err != nil {
		return err
	}
	u.sweep()
	next, err := u.download(ctx, name, f.sums)
	if err != nil {
		return err
	}
	// Where another upgrade was faster, a second exchange would keep the new program as
	// the one before, and lose that.
	if u.stands(name, f.sums) {
		return u.drop(next, nil)
	}
	return u.put(ctx, next, f.Version)
}

// Back puts the program in place that the last upgrade has replaced, and keeps the
// present one instead. It returns the version that stands there now, with a v.
func (u *Upgrader) Back(ctx context.Context) (string, error) {
	if err := u.placeable(); err != nil {
		return "", err
	}
	next, err := u.copyPrevious()
	if err != nil {
		return "", err
	}
	version, err := says(ctx, next)
	if err != nil {
		return "", u.drop(next, err)
	}
	return version, u.put(ctx, next, version)
}

// put starts the program at next once, which must say that it is of that version, and
// puts it in place. In any case nothing stands at next afterwards.
func (u *Upgrader) put(ctx context.Context, next, version string) error {
	said, err := says(ctx, next)
	if err == nil && said != version {
		err = fmt.Errorf("%w: it says that it is %q, not %s", ErrBroken, said, version)
	}
	if err == nil {
		err = u.swap(next)
	}
	if err != nil {
		return u.drop(next, err)
	}
	return nil
}

// says asks a program for its version, which it returns with a v.
func says(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBroken, err)
	}
	_, version, ok := strings.Cut(strings.TrimSpace(string(out)), "claudemesh v")
	if !ok || len(version) > 64 {
		return "", fmt.Errorf("%w: it does not say which version it is", ErrBroken)
	}
	return "v" + version, nil
}
