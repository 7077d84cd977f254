// Package term is the one place that prints: text for people, JSON documents for
// programs, progress, and the few questions a command may ask.
//
// Whatever comes from outside (names, messages, summaries) goes through the
// arguments of [Term.Line] and [Term.Block], which take control characters out, so
// that no peer can move the cursor or fake a line of ours. Colour is used only on
// a terminal, without NO_COLOR and with TERM other than dumb.
//
// It knows no operation and no node. What a message says is decided by its caller.
package term
