// Package nodes holds the commands about the node, the background process, and about
// what it keeps: node run, up, down, status, logs; backup, restore; and status, which
// looks at all of it.
//
// Finding and starting the process is in daemon, what a node does in package node.
package nodes
