// Package session holds the commands around one agent session: launch starts it, mcp
// serves it, hook and status-line are what the agent calls.
//
// The questions of launch and the start of Claude Code are in cli/launch, the session's
// token in agent, what a hook does in cli/hook.
package session
