// Package message is durable direct messages: what a session sends is on disk
// before it is told so, goes to the recipient's home until a signed receipt came,
// is in the inbox there before that receipt leaves, and is offered to exactly one
// session, once. docs/delivery.md is its specification.
//
// What lives here: the three operations, the checks of a request, the judgement
// of what arrives, and the gate that offers mail to sessions. Below it:
//
//	letter    the wire format of messages, receipts and letters
//	delivery  the rules as pure functions: rows, entries, gate, order, windows
//	outbox    accepted messages on the store
//	inbox     received messages on the store
//	courier   the workers that empty the outbox
//	shelf     how their tables share a bucket
//
// It has about 2,000 lines because acceptance, arrival, offering and reading share
// single commits: apart they would need each other's insides.
//
// What does not: sealing and streams (the post), keys and membership (behind
// [Trust]), who is there and what their names are (behind [Sessions]).
//
// # Feed entries
//
// A message offered to a session is a change of the store's durable feed with
// topic op.TopicMessage, To the session's local id and as data an op.Event in
// JSON without its cursor, whose own data is an op.Message. Hints have the topic
// op.TopicHint and carry an op.Hint. The mark in the inbox and the feed entry are
// one commit.
//
// # Layout on the store
//
// All is in the bucket "message", in the tables of package shelf: those of outbox
// and inbox, and two of this package:
//
//	Age    (empty)   age in nanoseconds, wall clock in Unix milliseconds: 8 bytes each
//	Cause  cause     messages counted and age of the last one: 8 bytes each
package message
