// Package cause is what a node remembers of conversations with no person in
// between, on the store: how many messages of each were sent and received here,
// what each session was shown last, and who was told that a conversation has ended.
// docs/delivery.md section 4 is its specification; which numbers are too many is
// decided by package message.
//
// # Layout, in tables of package shelf
//
//	Cause   cause              messages counted and age of the last one: 8 bytes each
//	Shown   session            cause, depth, wall clock in Unix milliseconds, age,
//	                           message id, writer's member and session
//	Notice  cause ‖ session    age: the session was told that the conversation ended
//
// A cause has 16 bytes, keys 32, an id 16, numbers 8 big-endian.
package cause
