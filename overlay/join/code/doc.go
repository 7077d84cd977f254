// Package code is invites that can be spoken: a number and two words, such as
// 4-tiger-harbor, for two machines on one network. It makes and reads them, runs the
// key exchange that turns them into an invite's secret, and keeps those that a node has
// given out, with the rules by which they end. Finding the node that gave a code out,
// and joining with the secret, are others' business. docs/trust.md section 7 has the
// rules.
//
// # The exchange, part of /claudemesh/join/1
//
// The number, the nameplate, says which code of a node is meant; it is no secret. The
// words are two of 2,048 (the English list of BIP-39), 22 bits: enough where one guess
// burns the code and nothing can be guessed offline. Frames are those of package wire,
// at most 512 bytes; each begins with its kind, one byte, and has fields in package
// ident's encoding:
//
//	6  look     J→A  2: nameplate, an integer      is that code yours?
//	7  here     A→J  2: nameplate                  it is
//	8  start    J→A  2: nameplate, 4: point X      an attempt begins
//	9  answer   A→J  4: point Y
//	10 confirm  J→A  6: MAC of the joiner, 32 bytes
//	11 secret   A→J  6: MAC of the admitter, 8: the invite's secret, sealed
//	5  refused  A→J  2: why: "unknown", "busy", "wrong", "ended", "unavailable"
//
// look needs no start and may be repeated on its stream. Points are of P-256, 65 bytes,
// uncompressed; what is no point of the curve, or its neutral element, is refused before
// it gets near the exchange.
//
// # The key exchange
//
// SPAKE2 over P-256, from github.com/schollz/pake. Its constants U and V have x
// coordinates of 160 bits that are the same for three curves: nobody can have chosen
// them with known logarithms. What that library leaves out is added here:
//
//   - Its key hashes neither side's identity. Here the password is a hash of the words,
//     the nameplate and both peer ids, which the connection has proved: one exchange
//     cannot be passed on to another node. The keys that are used come from a hash of
//     all of that, both points and the library's key, each with its length before it.
//   - It reads JSON of the other side, and panics on some. Here fixed-size points
//     travel, are judged by crypto/ecdh, and only then handed in, as JSON made here.
//   - It confirms nothing. Here each side sends a MAC, the joiner first, so that whoever
//     guesses shows the guess before learning anything.
//
// # What ends a code
//
// A wrong MAC burns it, at once. So does the tenth start, whatever becomes of it. It
// lasts ten minutes and hands its secret out once. One attempt runs at a time; others
// are told to wait.
package code
