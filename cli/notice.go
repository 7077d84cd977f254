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
	if a.ran == "" || slices.Contains(unnoticed, a.ran) || a.quiet || a.json || ctx.Err() != nil ||
		a.env.Getenv("CI") != "" || !a.term.OutTTY() || !a.term.ErrTTY() {
		return
	}
	dir, set, err := a.loaded()
	if err != nil {
		return
	}
	if version := a.newer(ctx, dir, set); version != "" {
		a.term.Note("%s claudemesh %s is there; this is v%s.", term.To, term.Bold(version), a.env.Version)
		a.term.Note("  Install it: %s", term.Cyan("claudemesh upgrade"))
	}
}
