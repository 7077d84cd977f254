// Package plain asks a flow's questions line by line: for screen readers, for terminals
// that obey no sequences, and for who prefers it. It asks the same questions in the same
// order as the screens do; nothing moves, nothing is drawn over.
package plain
