// Package state holds the commands about the keys and values that a mesh shares: state
// get, set, list, writers.
package state
