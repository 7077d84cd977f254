// Package ident holds what everything signed in a mesh is made of: keys, mesh
// ids, statement ids, the field encoding of statement bodies, and the one
// helper that signs and verifies statements. docs/trust.md section 1 is its
// specification.
//
// It knows no statement's meaning (package trust does), seals nothing (package
// seal does), reads no clock and opens no file. All values are safe to copy
// and to use from several goroutines, except Fields and Reader, which belong
// to the one goroutine that fills or reads them.
//
// # Encodings
//
// An uvarint is the unsigned LEB128 of encoding/binary, in its shortest form.
//
// A statement body is a sequence of fields, tags ascending, each tag once:
//
//	field     = uvarint tag ‖ uvarint length ‖ value
//	integer   = 8 bytes, big-endian
//	text      = UTF-8
//	list      = uvarint count ‖ count × (uvarint length ‖ item)
//
// A reader ignores a field whose tag it does not know if the tag is odd, and
// refuses the body if it is even. Bodies are kept as they came and never
// encoded anew.
//
// A statement is a body with one or more signatures (a claim has three):
//
//	statement = uvarint length ‖ body ‖ 1 byte count (1..4) ‖ count × 64 bytes
//	id        = SHA-256(body)
//	signed    = "claudemesh/1/" ‖ kind ‖ 0x00 ‖ mesh id (20 bytes) ‖ id
//
// The kind in the signed text keeps a signature made for one kind of statement
// from verifying as another. The mesh id is all zeros for genesis, record and
// box, whose keys exist in one mesh only.
//
// A mesh id is the first 20 bytes of its genesis statement's id, written as 32
// lower-case characters of base32 (RFC 4648 alphabet, no padding).
//
// Ed25519 public keys (RFC 8032) must be canonical encodings of a point that
// is not of small order.
//
// KDF is HKDF-SHA256 (RFC 5869) with an empty salt and 32 bytes of output. A
// member's seed gives its three keys by the infos
// "claudemesh/1/key/member", ".../blind" (both: Ed25519 seeds) and
// ".../seal" (private key bytes of the HPKE KEM MLKEM768-X25519, X-Wing).
package ident
