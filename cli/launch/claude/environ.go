package claude

import (
	"slices"
	"strings"

	"github.com/claudemesh/claudemesh/cli/agent"
)

// The environment's names beside those of cli/agent and cli/settings.
const (
	envConfig = "CLAUDEMESH_CONFIG_DIR"
	envName   = "CLAUDEMESH_DISPLAY_NAME"
	envRole   = "CLAUDEMESH_ROLE"
	envMode   = "CLAUDEMESH_MESSAGE_MODE"
)

// waits are what Claude Code is given unless the user said otherwise: how long a server
// may take to start, in milliseconds, and how much a tool may answer, in tokens.
var waits = [][2]string{{"MCP_TIMEOUT", "30000"}, {"MAX_MCP_OUTPUT_TOKENS", "50000"}}

// Identity is what the environment tells the session's MCP server.
type Identity struct {
	// Config is the user's claudemesh folder, Folder that of the session.
	Config, Folder string
	// ID is the conversation's id; empty: Claude Code tells it.
	ID string
	// Name, Role and Mode are what the session is; an empty one is not said.
	Name, Role, Mode string
}

// Environ is the environment of Claude Code: the given one, with this session in place
// of the one that the launcher itself may be part of.
func (d Identity) Environ(environ []string) []string {
	ours := [][2]string{
		{envConfig, d.Config}, {agent.EnvFolder, d.Folder}, {agent.EnvSession, d.ID},
		{envName, d.Name}, {envRole, d.Role}, {envMode, d.Mode},
		{agent.EnvClaudeSession, ""},
	}
	out := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.ContainsFunc(ours, func(o [2]string) bool { return strings.EqualFold(o[0], name) })
	})
	for _, o := range ours {
		if o[1] != "" {
			out = append(out, o[0]+"="+o[1])
		}
	}
	for _, w := range waits {
		if !slices.ContainsFunc(out, func(pair string) bool { return strings.HasPrefix(pair, w[0]+"=") && len(pair) > len(w[0])+1 }) {
			out = append(out, w[0]+"="+w[1])
		}
	}
	return out
}
