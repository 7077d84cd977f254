// Package renegade is the modified client of a member, for tests of what whole nodes do
// about one: it has a node's folder with all its keys, speaks every protocol of the mesh,
// and says what a test has it say. It holds no assertions about nodes.
package renegade
