// Package inbox is what a node keeps of the messages that came for its own
// sessions and members, on the store: an entry per (address, origin, id), the
// text, the list of what is not read yet, and the keys that make a second
// arrival of a message no second message.
//
// A [Box] is the inbox as one transaction sees it. Every way to read it takes a
// [Reader]: the entries of a session are its own and those of its member that
// nobody else has taken. Nothing here opens transactions, sends, signs or reads
// clocks. Which state follows which, and in which order things are shown, is
// decided by package delivery.
//
// # Layout, in tables of package shelf
//
//	InRecord  mesh ‖ address ‖ id ‖ origin ‖ 0             the entry, see codec.go
//	          mesh ‖ address ‖ id ‖ origin ‖ 1             the message statement
//	InOpen    mesh ‖ address ‖ seq                         id ‖ origin, while not read
//	InLine    mesh ‖ address ‖ origin ‖ priority ‖ ord     seq: what has arrived, for the order
//	          mesh ‖ 0 ‖ origin ‖ priority ‖ ord           age ‖ prev: a message to many has come
//	InSpread  mesh ‖ origin ‖ id                           what became of it, see spread.go
//	InUsage   mesh                                         last seq, entries with text, their
//	                                                       bytes, those read: 8 bytes each
//
// mesh has 20 bytes, keys 32, id 16, priority 1, seq and ord 8 big-endian.
package inbox
