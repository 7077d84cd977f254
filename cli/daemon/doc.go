// Package daemon finds, starts and stops the node's process on this machine.
//
// Whether a node runs is always found out by a request, never by a file. A start
// happens under a lock, so that commands that need the node at one moment start
// one. The files it keeps in the user's claudemesh folder:
//
//	start.lock     held while a node is being started or stopped
//	start.failed   when and why the last start failed: for 30 s after it no command
//	               tries again by itself, `claudemesh node up` always does
//	stopped        `claudemesh node down` was the last word: sessions that lose the
//	               node then do not bring it back, a command that needs it does
//	logs/node.log  what a node started here writes, moved to node.log.1 at a start
//	               when it is over 10 MiB
//
// It knows no operation and does not speak the local API: its user hands in the
// probe. How a node is configured is not decided here either.
package daemon
