package cli

import (
	"context"
	"slices"

	"github.com/claudemesh/claudemesh/cli/term"
)

// unnoticed are the commands after which nobody is told of a newer release: programs
// read what they print, or they are about that themselves.
var unnoticed = []string{"hook", "mcp", "status-line", "upgrade", "node", "completions", "open-link", "url-handler", "log"}

// notice tells a person at a terminal, at most once in 24 hours, of a newer release,
// if an address of releases is set.
func (a *app) notice(ctx context.Context) {
	if a.Ran == "" || slices.Contains(unnoticed, a.Ran) || a.Quiet || a.JSON || ctx.Err() != nil ||
		a.Env.Getenv("CI") != "" || !a.Term.OutTTY() || !a.Term.ErrTTY() {
		return
	}
	dir, set, err := a.Loaded()
	if err != nil {
		return
	}
	if version := a.Newer(ctx, dir, set); version != "" {
		a.Term.Note("%s claudemesh %s is there; this is v%s.", term.To, term.Bold(version), a.Env.Version)
		a.Term.Note("  Install it: %s", term.Cyan("claudemesh upgrade"))
	}
}
