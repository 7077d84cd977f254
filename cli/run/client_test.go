package run

import (
	"slices"
	"testing"
)

func TestTheNodeGetsNoSecretsOfTheAgent(t *testing.T) {
	got := nodeEnviron([]string{
		"PATH=/bin", "HOME=/h", "ANTHROPIC_API_KEY=x", "CLAUDE_CODE_SESSION_ID=s", "CLAUDEMESH_LISTEN=l",
		"CLAUDEMESH_SESSION_ID=s", "CLAUDEMESH_DISPLAY_NAME=n", "CLAUDEMESH_CONFIG_DIR=old", "LC_ALL=C", "XDG_RUNTIME_DIR=/run",
	}, "/dir")
	slices.Sort(got)
	want := []string{"CLAUDEMESH_CONFIG_DIR=/dir", "CLAUDEMESH_LISTEN=l", "HOME=/h", "LC_ALL=C", "PATH=/bin", "XDG_RUNTIME_DIR=/run"}
	if !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
}
