// Package post is the verb *post*: it carries sealed letters, in order, from
// this node to the home of another member, and the receipts back. It knows
// nothing of what a letter says: the message feature signs and reads them.
// docs/delivery.md sections 2 and 4 say what letters and receipts promise,
// docs/trust.md section 5 how they are sealed; package host opens the streams.
//
// The package has more than 1,000 lines because both ends of the stream and what
// ties them together, frames, contexts and windows, are one protocol: each of its
// rules is kept by one end and enforced by the other.
//
// # The stream "post/1"
//
// Per mesh and recipient a node keeps one outgoing stream to the recipient's
// home, opened on demand over a connection whose both ends proved membership
// in the mesh. Letters go one way on it and acknowledgements the other; letters
// the other way have a stream of their own. A stream ends with its connection,
// after an hour, and when the admin log changed (Post.Renew).
//
// Frames are those of package wire, at most 80 KiB (MaxFrame) from the opener
// and 256 KiB (MaxBackFrame) from the answerer. A frame's first byte is its
// kind:
//
//	1 open     fields                  both: begins the sender's HPKE context
//	2 letter   ciphertext              opener
//	3 receipt  ciphertext              opener: a receipt posted by itself
//	4 ack      ciphertext              answerer
//	5 unknown  fields                  answerer: the key of "open" is not here
//
// The fields of open and unknown, in package ident's encoding:
//
//	2  key id, 32 bytes: the key of the other side that this context is sealed to
//	4  the stream statement: ids of both proofs of this connection, direction,
//	   HPKE encapsulation; signed by the member whose side sends it
//	6  the sender's newest delivery statement, or empty if it has none
//
// "unknown" has field 6 alone.
//
//  1. The opener writes open, and letters right behind it without waiting.
//  2. The answerer checks that the statement is signed by the member this
//     connection proved, names the two proofs of this very connection and the
//     direction 'i' (who opened the stream seals; who began the handshake does
//     not matter), and opens its context with the key named. It takes over
//     the opener's delivery statement and answers with an open of its own,
//     direction 'r', sealed to the opener's newest delivery key, else to its
//     long-term seal key.
//  3. If the key named is not here (the answerer was restored, or the key is
//     erased), it answers unknown with its newest delivery statement, and skips
//     all frames up to the next open. The opener begins anew on the same stream,
//     with that key and then with the answerer's long-term seal key, and sends
//     again what was skipped.
//
// Ciphertexts are HPKE (RFC 9180: MLKEM768-X25519, HKDF-SHA256,
// ChaCha20-Poly1305), one context per direction, use "stream", the kind byte as
// associated data. They open in the order of sealing only. The plaintext of a
// letter or receipt is the letter or receipt; that of an ack is
//
//	uvarint count ‖ receipt
//
// where count is how many more letters and receipts have been taken since the
// last ack, and receipt, which may be empty, is what the answerer's Deliver
// returned for the letters among them. Anything out of place ends the stream.
//
// At most 256 letters and 4 MiB of them are under way unacknowledged. A stream
// that ends gives no word on those: whoever posts keeps them and posts again.
package post
