// Package launch leads a person, or nobody, to a running agent: it goes through the flow
// by the way of asking that fits the terminal, gives the terminal back at one place, and
// runs Claude Code in it.
//
// What is asked is decided in flow, how it looks in screen and plain, how Claude Code is
// started in claude. What must be known of meshes and done there comes from its caller.
package launch
