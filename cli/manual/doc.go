// Package manual writes the table of commands as man pages, as a page of the reference
// and as the JSON document that --help --json prints. It knows no command by name.
package manual
