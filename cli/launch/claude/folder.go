package claude

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/claudemesh/claudemesh/cli/agent"
	"github.com/claudemesh/claudemesh/store/file"
)

const (
	// prefix begins the names of session folders.
	prefix = "claudemesh-"
	// serversFile holds the MCP servers of a session alone.
	serversFile = "mcp.json"
)

// Folder is the private folder of one session.
type Folder struct {
	path string
}

// NewFolder makes the folder of a session in the folder tmp and writes what the MCP
// server reads there.
func NewFolder(tmp string, s agent.Launched) (*Folder, error) {
	path, err := os.MkdirTemp(tmp, prefix) // 0700
	if err != nil {
		return nil, fmt.Errorf("make the session's folder: %w", err)
	}
	f := &Folder{path}
	if err := f.write(agent.LaunchedFile, s); err != nil {
		return nil, errors.Join(err, f.Remove())
	}
	return f, nil
}

// Path is where the folder is.
func (f *Folder) Path() string { return f.path }

// Servers writes a file that makes program the session's MCP server, where Claude Code
// is not set up with it, and returns its path.
func (f *Folder) Servers(program string) (string, error) {
	type server struct {
		Type    string   `json:"type"`
		Command string   `json:"command"`
		Args    []string `json:"args"`
	}
	doc := map[string]map[string]server{"mcpServers": {"claudemesh": {"stdio", program, []string{"mcp"}}}}
	return filepath.Join(f.path, serversFile), f.write(serversFile, doc)
}

func (f *Folder) write(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the session's %s: %w", name, err)
	}
	if err := file.Write(filepath.Join(f.path, name), append(text, '\n')); err != nil {
		return fmt.Errorf("write the session's %s: %w", name, err)
	}
	return nil
}

// Remove removes the folder. It may be called more than once.
func (f *Folder) Remove() error { return os.RemoveAll(f.path) }

// Sweep removes the folders of sessions whose launchers have died. alive tells whether a
// process runs, used whether a folder is the session's of one that does: an agent outlives a
// launcher that was killed. What is not plainly one of ours is left alone.
func Sweep(tmp string, alive func(pid int) bool, used func(folder string) bool) error {
	all, err := os.ReadDir(tmp)
	if err != nil {
		return fmt.Errorf("look for folders of old sessions: %w", err)
	}
	var failed []error
	for _, e := range all {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(tmp, e.Name())
		if s, ok := agent.ReadLaunched(path); ok && s.PID > 0 && !alive(s.PID) && !used(path) {
			failed = append(failed, os.RemoveAll(path))
		}
	}
	return errors.Join(failed...)
}
