// Package health tells how this node itself is: what it listens on, whether it finds
// others on the local network, how its clock stands against theirs, and what each
// agent's session and its MCP server have agreed on.
//
// It judges nothing; that is for whoever asks (cli/doctor). What it tells comes from the
// other parts, through an interface declared here. The only thing it keeps, in memory,
// is what the MCP servers and the hooks of the sessions report.
package health
