package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/store/file"
)

// The environment's names for the agent's own session id, see ID.
const (
	EnvSession       = "CLAUDEMESH_SESSION_ID"
	EnvClaudeSession = "CLAUDE_CODE_SESSION_ID"
)

// unusedLimit is the age from which a token file that nobody renewed goes away.
const unusedLimit = 90 * 24 * time.Hour

// ID returns the agent session id that the environment names, or "". In a session that
// was launched Claude Code's own goes first: an agent that is started inside it inherits
// the environment, and is not that session.
func ID(getenv func(string) string) string {
	ours, claudes := getenv(EnvSession), getenv(EnvClaudeSession)
	if ours == "" || claudes != "" && getenv(EnvFolder) != "" {
		ours = claudes
	}
	return ours
}

// Tokens is the folder of a user in whose sessions folder tokens are kept.
type Tokens string

// entry is the content of a token file.
type entry struct {
	Agent string `json:"agent_session"`
	Token string `json:"token"`
}

func (t Tokens) path(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(t.folder(), hex.EncodeToString(sum[:16])+".json")
}

func (t Tokens) folder() string { return filepath.Join(string(t), "sessions") }

// Get returns the token of an agent session, and whether there is one.
func (t Tokens) Get(id string) (string, bool) {
	if id == "" {
		return "", false
	}
	text, err := file.Read(t.path(id))
	if err != nil {
		return "", false
	}
	var e entry
	if json.Unmarshal(text, &e) != nil || e.Agent != id {
		return "", false
	}
	return e.Token, e.Token != ""
}

// Put keeps the token of an agent session.
func (t Tokens) Put(id, token string) error {
	if err := file.Dir(t.folder()); err != nil {
		return fmt.Errorf("make the sessions folder: %w", err)
	}
	text, err := json.Marshal(entry{id, token})
	if err != nil {
		return fmt.Errorf("encode the session's token: %w", err)
	}
	if err := file.Write(t.path(id), text); err != nil {
		return fmt.Errorf("keep the session's token: %w", err)
	}
	return nil
}

// Prune removes the tokens of sessions that were not opened for three months.
func (t Tokens) Prune(now time.Time) error {
	entries, err := os.ReadDir(t.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for old tokens: %w", err)
	}
	var failed []error
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && now.Sub(info.ModTime()) > unusedLimit {
			failed = append(failed, os.Remove(filepath.Join(t.folder(), e.Name())))
		}
	}
	return errors.Join(failed...)
}
