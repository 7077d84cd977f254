// Package cli is the command line: what a person types, what a program reads with
// --json, and what starts the node and the MCP server.
//
// A command fills a request, asks the node through Spec.Call and prints the answer;
// it holds no keys and no state. What every command does alike stands in one place
// each: exit codes and errors in errors.go, the connection to the node in client.go,
// the choice of a mesh in pick.go, help in help.go. Only the package term below it
// prints. It has more lines than most packages because every command has its few
// lines here.
//
// Names and shapes of the JSON documents are this surface's own where they differ
// from the operations': those tables are in the file of the command.
package cli
