package cli

import (
	"strings"
	"testing"
)

// What is typed wrong is refused before any node is asked.
func TestTakingAwayIsTypedRight(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"ban bob --yes", 4, "CLAUDEMESH_AUTOSTART=0"},
		{"ban", 3, "ban <member…>"},
		{"kick", 3, "--all"},
		{"kick bob --all", 3, "--all"},
		{"void", 3, "--entry"},
		{"uninvite", 3, "claudemesh invites"},
		{"uninvite 1234 --all", 3, "claudemesh invites"},
		{"promote", 3, "promote <member>"},
		{"policy set mesh.ban", 3, "allow, prompt, deny"},
		{"policy test mesh.bann", 5, "mesh.ban"},
		{"audit --limit x", 3, "--limit"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := typed(t, strings.Fields(c.args)...)
			if status != c.status || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
			}
		})
	}
}
