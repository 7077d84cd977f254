//go:build agents

package agents

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/claudemesh/claudemesh/test/harness"
)

// servers are the process ids of a user's MCP servers that run: each has a log
// named by its own.
func servers(t *testing.T, h *harness.Home) []int {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(h.Dir, "logs", "mcp-*.log"))
	must(t, err)
	var out []int
	for _, path := range logs {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "mcp-"), ".log")
		pid, err := strconv.Atoi(name)
		must(t, err)
		if running(pid) {
			out = append(out, pid)
		}
	}
	return out
}

// server is the one MCP server of a user.
func server(t *testing.T, h *harness.Home) int {
	t.Helper()
	list := servers(t, h)
	if len(list) != 1 {
		t.Fatalf("%s has the servers %v", h.Name, list)
	}
	return list[0]
}

// awaitOther waits until the only server of a user is another one.
func awaitOther(ctx context.Context, t *testing.T, h *harness.Home, than int) int {
	t.Helper()
	var found int
	must(t, harness.Until(ctx, func() (bool, any, error) {
		list := servers(t, h)
		if len(list) != 1 || list[0] == than {
			return false, list, nil
		}
		found = list[0]
		return true, list, nil
	}))
	return found
}
