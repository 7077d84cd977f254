// Package join is how a stranger with an invite becomes a member: the exchange /claudemesh/join/1, both
// sides of it. It decides nothing: whom an invite admits is the node's to say (Admitter), and what
// claims, blobs and welcomes contain and prove is package trust's. docs/trust.md section 7 has the rules.
//
// # The exchange /claudemesh/join/1
//
// A libp2p stream on which a node answers anybody; package host limits how many per address. J, the
// joiner, has a link with the invite's secret, from which both the invite key and the blob's key derive,
// and the peer id of A, the admitter. Frames are those of package wire, at most 8 KiB; each begins with
// its kind, one byte, and has one field (tag 2, package ident's encoding):
//
//	1 ask      J→A   the invite's public key, 32 bytes
//	2 blob     A→J   length of the blob that follows, an integer, at most 16 MiB
//	3 claim    J→A   the claim, sealed to A
//	4 welcome  A→J   length of the welcome that follows, an integer, at most 64 MiB
//	5 refused  A→J   why, instead of a blob or welcome: text, at most 32 bytes
//
// Kinds 6 to 11 are those of spoken codes, package code.
//
// A blob or welcome follows in frames of 1 to 64 KiB without a kind, until it is complete. A sends
// refused with "unknown", "expired", "spent", "ended", "denied" or "unavailable", and closes.
//
//  1. J asks. A answers with the blob, sealed under the key from the secret, of any invite that it
//     knows: it is useless to those who do not hold the secret.
//  2. J checks that the blob's genesis leads to the invite and to A (OpenBlob below), and sends its
//     claim, signed by its member, blind and invite keys and sealed to A's seal key. The seal binds it
//     to the invite key; the claim names J's peer id, so that nobody can hand it on as their own.
//  3. A uses the invite and admits J in one transaction, and answers with the welcome, sealed to J's
//     seal key: the log and the keys of the head epochs.
//  4. J checks that the welcome continues the blob's genesis, contains the invite and J's own admit by
//     A, and opens with the keys that the log commits to.
//
// A claim with keys that were admitted before gets the same welcome: J keeps its seed on disk before it
// claims, and asks again whenever it does not know what became of its claim.
package join
