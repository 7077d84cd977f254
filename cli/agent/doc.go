// Package agent is the command line's side of an agent session: how the session of
// the running agent is recognised, the files that hold session tokens, and the
// connection of an MCP process, which opens its session, opens it anew when the
// node has forgotten it, and brings back a node that was lost.
//
// A token lives in sessions/ in the user's folder, one file per agent session id,
// 0600, named by a hash: commands that an agent runs find it there and act as the
// session. The package knows presence's operations and no transport: connections
// are handed in.
package agent
