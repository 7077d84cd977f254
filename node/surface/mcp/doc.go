// Package mcp offers the node to an agent: a Model Context Protocol server on
// standard input and output, whose tools are the operations that have a tool name
// and which pushes messages into the running session.
//
// # Tools
//
// A tool is a contract of the catalogue: name, help and schemas come from it, and
// nothing here names an operation except one table of what tools do to the world
// (tools.go). A result carries the operation's text and, as structured content,
// the same facts as JSON. A failure is a result with isError, the text
// "tool: what is wrong" and the next step on a second line; its code is in the
// result's _meta under "claudemesh/error", not in the structured content, which
// some clients check against the output schema even for failures. Claude Code gives
// the model the structured content of a success and the text of a failure.
//
// # Channel
//
// Claude Code shows the notification notifications/claude/channel to the model, if
// the server declared the experimental capability claude/channel, the connection
// speaks a revision of the protocol that has the initialize handshake, and the
// notification comes after the client's initialized. Otherwise it drops it without
// a word, as it does when one value of meta is no string. So this server speaks
// only such revisions, meta is a map of strings, and the feed is followed only from
// initialized and a grace time on: before that the session is not attached and
// nothing is offered to it.
//
// Notifications do not go through the library's queue, which holds a hundred and
// then drops. They are written in the feed's order, by the one goroutine that
// follows it, through the lock that responses go through as well: a client that
// does not read holds the feed back instead of losing messages.
//
// Text from peers is never markup of the client: see neutral.go for what is done
// to it, in channel messages and in results alike.
//
// # Life
//
// [Serve] answers initialize and the lists before the node is reached; tools wait
// for the session. The library's own stdio loop is not used: it shares one session
// among all servers of a process, takes lines of any length and drops queued calls
// at the end of input.
//
// The package has more lines than most because what a client is shown and when it is
// shown cannot be told apart: tools, pushes and reports share one output.
package mcp
