// Command claudemesh is the command line, the node and the MCP server in one
// binary. What it does lives in package cli.
package main

import (
	"context"
	"os"
	"runtime/debug"
	"strings"

	"github.com/claudemesh/claudemesh/cli"
)

// Both are set by the build of a release.
var version, releaseKey string

func main() {
	os.Exit(cli.Main(context.Background(), cli.Env{
		Args: os.Args[1:],
		In:   os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ,
		Version: programVersion(), ReleaseKey: releaseKey,
	}))
}

// programVersion is that of the release, else what the module system knows, else
// "dev".
func programVersion() string {
	if version != "" {
		return strings.TrimPrefix(version, "v")
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "dev"
}
