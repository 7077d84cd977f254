package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Agent is a coding agent that can be set up.
type Agent struct {
	// Name is what it is called on the command line, Title what people call it.
	Name, Title string
	// program is its own.
	program string
	// folder holds its settings.
	folder func(s *Setup) string
	// targets are the files to be changed.
	targets func(s *Setup) []target
}

// Agents lists those that are known.
func Agents() []Agent {
	return []Agent{
		{"claude", "Claude Code", "claude", (*Setup).claudeFolder, (*Setup).claudeTargets},
		{"codex", "Codex", "codex", func(s *Setup) string { return s.dir("CODEX_HOME", ".codex") }, (*Setup).codexTargets},
		{"opencode", "opencode", "opencode", (*Setup).opencodeFolder, (*Setup).opencodeTargets},
		{"gemini", "Gemini CLI", "gemini", func(s *Setup) string { return s.dir("", ".gemini") }, func(s *Setup) []target { return s.servers(".gemini", "settings.json") }},
		{"qwen", "Qwen Code", "qwen", func(s *Setup) string { return s.dir("", ".qwen") }, func(s *Setup) []target { return s.servers(".qwen", "settings.json") }},
		{"copilot", "Copilot CLI", "copilot", func(s *Setup) string { return s.dir("COPILOT_HOME", ".copilot") }, (*Setup).copilotTargets},
	}
}

func find(name string) (Agent, error) {
	for _, a := range Agents() {
		if a.Name == name {
			return a, nil
		}
	}
	return Agent{}, fmt.Errorf("%w: %q", ErrAgent, name)
}

// Detected lists the agents that are on this machine: whose program is found or whose
// folder holds something that was not written here.
func (s *Setup) Detected() []string {
	var out []string
	for _, a := range Agents() {
		if _, err := s.cfg.LookPath(a.program); err == nil || s.foreign(a.folder(s)) {
			out = append(out, a.Name)
		}
	}
	return out
}

// foreign tells whether a folder is there that is not, with all that is in it, of our
// making: then its agent made it.
func (s *Setup) foreign(folder string) bool {
	ours, notes := 0, s.vault.notes()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		real, err := follow(path)
		if n, ok := notes[real]; err != nil || !ok || n.Before != "" {
			return errForeign
		}
		ours++
		return nil
	})
	return !errors.Is(err, fs.ErrNotExist) && (err != nil || ours == 0)
}

// errForeign ends a walk at the first thing of another's.
var errForeign = errors.New("something of another's")

// dir is an agent's folder: that of a variable, else one in the home folder.
func (s *Setup) dir(variable, name string) string {
	if variable != "" {
		if path := s.cfg.Getenv(variable); path != "" {
			return path
		}
	}
	return filepath.Join(s.cfg.Home, name)
}

const (
	// Name is what the server, the plugin and the skill are called.
	Name = "claudemesh"
	// whatServer is what a file of servers holds of ours.
	whatServer = "MCP server"
	// noServer is what it means that it does not.
	noServer = "its sessions are not on the mesh: they have no tools and get no messages"
)

// server is an entry of most agents. The order of its fields is how it is written.
type server struct {
	Type    string   `json:"type,omitempty"`
	Command string   `json:"command"`
	Args    []string `json:"args"`
	Tools   []string `json:"tools,omitempty"`
	Trust   bool     `json:"trust,omitempty"`
}

// servers is the file of Gemini CLI and of what was made from it. Its users are asked
// about no tool of a trusted server.
func (s *Setup) servers(folder, name string) []target {
	return []target{s.entry(filepath.Join(s.dir("", folder), name), true, nil,
		server{Command: s.cfg.Program, Args: []string{"mcp"}, Trust: true}, "mcpServers", Name)}
}

func (s *Setup) copilotTargets() []target {
	return []target{s.entry(filepath.Join(s.dir("COPILOT_HOME", ".copilot"), "mcp-config.json"), false, nil,
		server{Type: "local", Command: s.cfg.Program, Args: []string{"mcp"}, Tools: []string{"*"}}, "mcpServers", Name)}
}

func (s *Setup) opencodeFolder() string {
	if path := s.cfg.Getenv("XDG_CONFIG_HOME"); path != "" {
		return filepath.Join(path, "opencode")
	}
	return filepath.Join(s.cfg.Home, ".config", "opencode")
}

// opencodeServer is an entry of opencode, which has the arguments with the command.
type opencodeServer struct {
	Type    string   `json:"type"`
	Command []string `json:"command"`
	Enabled bool     `json:"enabled"`
}

func (s *Setup) opencodeTargets() []target {
	path := s.cfg.Getenv("OPENCODE_CONFIG")
	if path == "" {
		path = filepath.Join(s.opencodeFolder(), "opencode.json")
		if other := path + "c"; exists(other) && !exists(path) {
			path = other
		}
	}
	head := map[string]any{"$schema": "https://opencode.ai/config.json"}
	return []target{s.entry(path, true, head, opencodeServer{"local", []string{s.cfg.Program, "mcp"}, true}, "mcp", Name)}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ours tells whether a program is claudemesh, wherever it lies and whatever the one
// that runs is called.
func (s *Setup) ours(program string) bool { return isOurs(program) || program == s.cfg.Program }

// isOurs tells whether a program has our name.
func isOurs(program string) bool {
	base := program[strings.LastIndexAny(program, `/\`)+1:]
	return base == Name || base == Name+".exe"
}
