// Package cli holds the tests of the command line that need the real program: what
// a person types and sees, as scripts that read like a terminal (testdata/script).
package cli
