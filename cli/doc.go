// Package cli is the command line: what a person types, what a program reads with
// --json, and what starts the node and the MCP server.
//
// Here are Main, the tree of commands with its help, what becomes of bare words, the
// names of commands by resource and verb, and what is published of all commands: schemas,
// pages, the skill. The commands are in packages below commands, one for each subject, so
// that none knows another; what all of them do alike is in run. Only the package term
// prints.
package cli
