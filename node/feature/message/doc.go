// Package message is durable messages: what a session sends is on disk before it is
// told so, goes to each recipient's home until a signed receipt came, is in the inbox
// there before that receipt leaves, and is offered once: a direct message to one
// session, one to a group to each session that it means. docs/delivery.md is its
// specification.
//
// What lives here: the operations, the checks of a request, the limits of a
// conversation of agents, the judgement of what arrives by letter and through the
// air, and the gate that offers mail to sessions. Below it:
//
//	letter    the wire format of messages, receipts and letters
//	delivery  the rules as pure functions: rows, entries, gate, order, windows
//	outbox    accepted messages on the store
//	inbox     received messages on the store
//	cause     conversations with no person in between, on the store
//	courier   the workers that empty the outbox
//	shelf     how their tables share a bucket
//
// It has about 2,700 lines because acceptance, arrival, offering and reading share
// single commits: apart they would need each other's insides.
//
// What does not: sealing and streams (the post), keys and membership (behind
// [Trust]), who is there and what their names are (behind [Sessions]), who is in which
// group (behind [Crowd]), gossip (behind [Air]).
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
// All is in the bucket "message", in the tables of package shelf: those of outbox,
// inbox and cause, and one of this package:
//
//	Age    (empty)   age in nanoseconds, wall clock in Unix milliseconds: 8 bytes each
package message
