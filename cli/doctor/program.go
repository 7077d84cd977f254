package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/claudemesh/claudemesh/cli/setup"
)

func lookAtProgram(_ context.Context, x *exam) []Finding {
	return one(pass("claudemesh v%s on %s/%s, built with %s", x.Version, runtime.GOOS, runtime.GOARCH, runtime.Version()))
}

// lookAtPath finds out which claudemesh a shell, and so an agent, would start.
func lookAtPath(_ context.Context, x *exam) []Finding {
	all := x.System.Programs(setup.Name)
	if len(all) == 0 {
		return one(warn(fmt.Sprintf("no folder of PATH has %s; this one is %s", setup.Name, x.Program),
			"add its folder: export PATH=\""+filepath.Dir(x.Program)+":$PATH\""))
	}
	var out []Finding
	if !sameFile(all[0], x.Program) {
		out = append(out, warn(fmt.Sprintf("a shell starts %s, and this one is %s", all[0], x.Program),
			"remove the one you do not want, or put the folder of the other first in PATH"))
	}
	if len(all) > 1 {
		out = append(out, warn("there is a second installation: "+strings.Join(all, ", "),
			"keep one; `claudemesh --version` of each tells which is newer"))
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

func lookForUpdate(context.Context, *exam) []Finding {
	return one(skip("there is no address to ask for newer versions"))
}

// lookAtLinks looks who opens claudemesh:// links, which nobody needs.
func lookAtLinks(_ context.Context, x *exam) []Finding {
	if by := x.System.Handler(x.Home); by != "" {
		return one(pass("claudemesh:// links are opened by %s", by))
	}
	return one(skip("nothing opens claudemesh:// links").hint("`claudemesh join <link>` takes them as well"))
}
