// Package claude starts Claude Code for a session and waits for it: which program it is,
// its arguments, its environment, the private folder of the session, and what is left
// behind when it has ended, which is nothing.
//
// The folder lies in the system's temporary one, 0700, and holds what the session's MCP
// server reads there (agent.Launched). No key is in it: those stay with the node. A folder
// whose launcher has died is removed by the next launch.
//
// The parent only waits: it reads nothing, prints nothing, and lets the signals of the
// keyboard to the program in front. The screens before it are not made here.
package claude
