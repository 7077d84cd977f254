// Package operations makes commands of operations: call, which asks for any of them, and
// one for each that has none written by hand, with words and flags from its request.
//
// What such a command is called is in cli.
package operations
