// Package seal holds the envelopes of a mesh: HPKE to one member, and
// XChaCha20-Poly1305 under a key that many know. docs/trust.md sections 1 and
// 4 are its specification.
//
// It knows no statement, no member and no epoch's history: callers say which
// key and which use. It opens no file, reads no clock, and takes randomness
// only where it makes a key or a nonce. Everything but Sender and Recipient
// may be used from several goroutines.
//
// # HPKE
//
// RFC 9180 base mode with the suite MLKEM768-X25519 (X-Wing), HKDF-SHA256,
// ChaCha20-Poly1305. A public key has 1,216 bytes, an encapsulated key 1,120,
// a tag 16.
//
//	info   = "claudemesh/1/" ‖ use ‖ 0x00 ‖ mesh id ‖ recipient's member key ‖ key id
//	key id = SHA-256(HPKE public key)
//	sealed = encapsulated key ‖ ciphertext            (single shot)
//	aad    = the cleartext header that goes along, if any
//
// A streaming context (Sender, Recipient) seals many messages in order under
// one encapsulated key; a message lost or out of order ends it.
//
// # Epoch sealing
//
//	key    = KDF(effective key, use ‖ mesh id)
//	header = 1 byte version (1) ‖ epoch id (32) ‖ random nonce (24)
//	sealed = header ‖ XChaCha20-Poly1305(key, nonce, plain, aad = header)
//
// Where a header of its own travels along and names the epoch, as a record's does:
//
//	sealed = random nonce (24) ‖ XChaCha20-Poly1305(key, nonce, plain, aad = that header)
//
// The same box without an epoch, for keys that are secrets of their own:
//
//	box    = random nonce (24) ‖ XChaCha20-Poly1305(key, nonce, plain, aad)
package seal
