// Package setup makes coding agents start claudemesh by themselves, and takes that back:
// the entry of the MCP server, for Claude Code also the permission of its tools, the
// hooks, a skill and the status line. Files belong to their users: only what is ours is
// changed in them, in place, a file that cannot be read with certainty is refused as it
// is, and each change leaves a copy of what was before.
//
// What lives here: where each agent keeps its settings, what is written there, the
// copies, and the content of the plugin folder. Below it, jsontext edits JSON. What does
// not: what a hook does when it is called (cli/hook), and printing. It has more lines
// because each agent keeps its settings in a way of its own.
package setup
