package cli

import (
	"strings"
	"testing"
)

// What takes something from somebody asks first, and without a terminal and a --yes
// the answer is no, before any node is asked.
func TestTakingAwayNeedsAYes(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"ban bob", 7, "--yes"},
		{"ban bob cat", 7, "Remove bob, cat?"},
		{"ban bob --yes", 4, "CLAUDEMESH_AUTOSTART=0"},
		{"ban", 3, "ban <member…>"},
		{"kick", 3, "--all"},
		{"kick bob --all", 3, "--all"},
		{"void", 3, "--entry"},
		{"uninvite", 3, "claudemesh invites"},
		{"uninvite 1234 --all", 3, "claudemesh invites"},
		{"promote", 3, "promote <member>"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := run(t, strings.Fields(c.args)...)
			if status != c.status || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
			}
		})
	}
}
