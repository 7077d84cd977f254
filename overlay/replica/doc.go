// Package replica holds the shared records of a mesh: signed, ordered in logs with
// one writer each, alike on all nodes once they have met.
package replica
