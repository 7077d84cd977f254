// Package outbox is what a node keeps of the messages it accepted, on the store:
// the signed text until every recipient has answered, a row per address, the
// queue of each recipient's home, and what is remembered so that an id means one
// message. Receipts "seen" for others wait in the same queues.
//
// A [Box] is the outbox as one transaction sees it. Nothing here opens
// transactions, sends, signs or reads clocks: times come in as ages (the node's
// own running time, which counts durations) and as wall clock milliseconds
// (which are shown). Which state follows which is decided by package delivery.
//
// # Layout, in tables of package shelf
//
//	OutRecord  mesh ‖ id ‖ 0             what is remembered of a message, 40 days
//	           mesh ‖ id ‖ 1             statement and attestation, until all rows are final
//	           mesh ‖ id ‖ 2 ‖ address   state of one recipient
//	OutDue     mesh ‖ home ‖ ord         what is still to be sent to a home
//	OutUsage   (empty)                   last ord, open rows, bytes of text: 8 bytes each
//
// mesh has 20 bytes, id 16, addresses and homes 32, ord 8 big-endian. Values are
// fields as in statements; see codec.go.
package outbox
