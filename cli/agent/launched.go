package agent

import (
	"encoding/json"
	"path/filepath"

	"github.com/claudemesh/claudemesh/store/file"
)

// EnvFolder names the private folder of a session that was launched, see Launched.
const EnvFolder = "CLAUDEMESH_SESSION_DIR"

// LaunchedFile is the file in it.
const LaunchedFile = "config.json"

// Launched is what a session was launched as. Its MCP server reads it, and so do
// commands that the agent runs.
type Launched struct {
	Version int `json:"version"`
	// PID is the process that launched it and removes the folder.
	PID int `json:"pid"`
	// Mesh is the mesh it is in.
	Mesh string `json:"mesh"`
	// Name, Role and Mode are what it was started as; an empty one was not said.
	Name string `json:"displayName,omitempty"`
	Role string `json:"role,omitempty"`
	Mode string `json:"messageMode,omitempty"`
	// Groups are those it starts in.
	Groups []LaunchedGroup `json:"groups,omitempty"`
}

// LaunchedGroup is a group, and what the session is there.
type LaunchedGroup struct {
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
}

// ReadLaunched reads the private folder of a session, if it is one.
func ReadLaunched(folder string) (Launched, bool) {
	text, err := file.Read(filepath.Join(folder, LaunchedFile))
	if err != nil {
		return Launched{}, false
	}
	var l Launched
	if json.Unmarshal(text, &l) != nil || l.Version != launchedVersion {
		return Launched{}, false
	}
	return l, true
}

// launchedVersion is that of the file.
const launchedVersion = 1

// NewLaunched is what is written for the session that the process pid launches.
func NewLaunched(pid int) Launched { return Launched{Version: launchedVersion, PID: pid} }

// LaunchedIn is what the session was launched as that this process is part of, if it
// was launched at all.
func LaunchedIn(getenv func(string) string) (Launched, bool) {
	folder := getenv(EnvFolder)
	if folder == "" {
		return Launched{}, false
	}
	return ReadLaunched(folder)
}
