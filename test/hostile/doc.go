// Package hostile tests whole nodes against people who keep to no rule: a stranger on
// the network who knows where a node listens, and a member that was banned and keeps
// its keys. What single packages do with bad input is tested beside them; here is what
// only the whole program shows: that it goes on serving its members.
//
// CLAUDEMESH_LONG=1 makes 100,000 malformed frames instead of some thousands.
// CLAUDEMESH_BIN takes a program that is built already.
package hostile
