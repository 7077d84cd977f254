package docs_test

import (
	"testing"

	"github.com/claudemesh/claudemesh/cli"
	"github.com/claudemesh/claudemesh/cli/setup"
)

// TestPluginIsCurrent compares the plugin folder with what the program would write.
func TestPluginIsCurrent(t *testing.T) {
	files, err := setup.Plugin(cli.Skill())
	if err != nil {
		t.Fatal(err)
	}
	written(t, "packaging", files, "go test ./test/docs -run Plugin -update")
	strays(t, "packaging", "plugin", files)
}
