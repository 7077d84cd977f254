package agent

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/claudemesh/claudemesh/store/file"
)

// OpenLog opens the log of this MCP process, logs/mcp-PID.log below dir, and
// removes those of processes that are gone: agents show nobody what their servers
// write to stderr. The caller closes it.
func OpenLog(dir string, pid int, alive func(pid int) bool, debug bool) (*slog.Logger, *os.File, error) {
	folder := filepath.Join(dir, "logs")
	if err := file.Dir(folder); err != nil {
		return nil, nil, fmt.Errorf("make the log's folder: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(folder, "mcp-*.log"))
	if err != nil {
		return nil, nil, fmt.Errorf("look for old logs: %w", err)
	}
	for _, path := range old {
		if owner, ok := logOwner(path); ok && (owner == pid || !alive(owner)) {
			// A log that cannot be removed is of no consequence to this process.
			_ = os.Remove(path)
		}
	}
	path := filepath.Join(folder, fmt.Sprintf("mcp-%d.log", pid))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: level})), f, nil
}

// logOwner reads the process id from a log's name.
func logOwner(path string) (int, bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "mcp-"), ".log")
	pid, err := strconv.Atoi(name)
	return pid, err == nil && pid > 0
}
