package doctor

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/claudemesh/claudemesh/cli/setup"
)

func lookAtProgram(_ context.Context, x *exam) []Finding {
	return one(pass("claudemesh v%s on %s/%s, built with %s", x.Version, runtime.GOOS, runtime.GOARCH, runtime.Version()))
}

// lookAtPath finds out which claudemesh a shell, and so an agent, would start.
func lookAtPath(_ context.Context, x *exam) []Finding {
	all := x.System.Programs(setup.Name)
	if len(all) == 0 {
		return one(warn("no folder of PATH has %s; this one is %s", setup.Name, x.Program).
			hint("add its folder: export PATH=\"%s:$PATH\"", filepath.Dir(x.Program)))
	}
	var out []Finding
	if !sameFile(all[0], x.Program) {
		out = append(out, warn("a shell starts %s, and this one is %s", all[0], x.Program).
			hint("remove the one you do not want, or put the folder of the other first in PATH"))
	}
	if len(all) > 1 {
		out = append(out, warn("there is a second installation: %s", strings.Join(all, ", ")).
			hint("keep one; `claudemesh --version` of each tells which is newer"))
	}
	if len(out) == 0 {
		return one(pass("%s", all[0]))
	}
	return out
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// Release is what is known of the newest release.
type Release struct {
	// Configured tells whether there is an address to ask.
	Configured bool
	Version    string
	Newer      bool
}

// updateTime is how long whoever has the releases may take to answer.
const updateTime = 3 * time.Second

func lookForUpdate(ctx context.Context, x *exam) []Finding {
	ctx, cancel := context.WithTimeout(ctx, updateTime)
	defer cancel()
	switch r, err := x.Release(ctx); {
	case !r.Configured:
		return one(skip("no address of releases is set"))
	case err != nil:
		return one(skip("the newest release is not known: %v", x.Node.Explain(err)))
	case r.Newer:
		return one(warn("there is a newer release, v%s", r.Version).hint("claudemesh upgrade"))
	}
	return one(pass("there is no newer release"))
}

// lookAtLinks looks who opens claudemesh:// links, which nobody needs.
func lookAtLinks(_ context.Context, x *exam) []Finding {
	if by := x.System.Handler(x.Home); by != "" {
		return one(pass("claudemesh:// links are opened by %s", by))
	}
	return one(skip("nothing opens claudemesh:// links").hint("`claudemesh join <link>` takes them as well"))
}
