package cli

import (
	"slices"
	"testing"

	"github.com/claudemesh/claudemesh/node"
)

// The few tools that a client gives its model from the start, and those of the small
// tier; every tool can be told which mesh is meant.
func TestToolsOfTheCatalogue(t *testing.T) {
	var eager, core []string
	for _, k := range node.Catalogue() {
		if k.Names.Tool == "" {
			continue
		}
		if k.Eager {
			eager = append(eager, k.Names.Tool)
		}
		if k.Core {
			core = append(core, k.Names.Tool)
		}
		if k.Eager && !k.Core {
			t.Errorf("%s is loaded from the start, and yet is not in the small tier", k.Names.Tool)
		}
		in, err := k.Input()
		if err != nil {
			t.Fatal(err)
		}
		if in.Properties["mesh_slug"] == nil || slices.Contains(in.Required, "mesh_slug") {
			t.Errorf("%s: mesh_slug is not an option", k.Names.Tool)
		}
	}
	slices.Sort(eager)
	slices.Sort(core)
	if want := []string{
		"check_messages", "get_state", "join_group", "leave_group", "list_peers", "list_state", "mesh_info", "message_status",
		"send_message", "set_profile", "set_state", "set_status", "set_summary", "set_visible",
	}; !slices.Equal(core, want) {
		t.Errorf("in the small tier: %v", core)
	}
	if want := []string{"check_messages", "get_state", "list_peers", "send_message", "set_summary"}; !slices.Equal(eager, want) {
		t.Errorf("loaded from the start: %v", eager)
	}
}
