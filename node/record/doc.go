// Package record is the shared data of a mesh as features see it: collections of keys
// with values, written by members, the same at every node that has met the others.
//
// A feature declares a Kind, writes with Put and Delete, and reads with Get and List.
// The Book does the rest: it encrypts a record for the mesh, gives it its time, hands
// it to the replica (overlay/replica), keeps an index of what it can read, judges what
// counts at each reading, folds what several members wrote under one key into one
// entry, and tells the feature when what a key shows has changed.
//
// How records travel, in which order and what a removed member's are worth is not
// decided here but in overlay/replica; which network carries them, in package node.
//
// # A record's text
//
// The slot of (kind, key) is HMAC-SHA256(id secret of the mesh, kind ‖ 0x00 ‖ key):
// relays see which records are of one slot and not what it is called. The plain text
// is, in ident's field encoding,
//
//	2 kind    4 key    6 value (no field in a deletion)
//
// sealed with seal.BoxSeal under seal.EpochKey(effective key of the epoch that the
// record's header names, "record"), bound to replica.AAD(header).
//
// # What is shown
//
// A record is shown when all of this holds, asked anew at each reading: the epoch's
// key is known and opens it; it says the kind and key of its slot; its clock is at
// most 60 s past mesh time; its author is a member, or was one and the record is among
// those its removal keeps (the replica gives no others); the kind lets the author
// write the key; the kind accepts the value. Whatever is not shown is kept and passed
// on all the same.
//
// It has more lines because what opens, judges, folds, indexes and writes a record works
// inside one transaction on one index, which nobody else may know.
package record
