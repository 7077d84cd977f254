// Package wire is how claudemesh nodes frame what they say to each other, and the messages that
// come before any mesh is involved: the handshake and the header of a mesh stream. It knows no
// sockets, no keys and no clocks. What the frames of an inner protocol carry is described where that
// protocol lives; identities and signed statements are in package ident, and what is proved by whom
// is in docs/trust.md.
//
// # Frames
//
//	frame   = length payload
//	length  = uvarint, in its shortest form, at most 1 MiB (MaxFrame)
//
// Every reader names the limit it expects, and the length is checked against it before anything is
// allocated. A frame over the limit, or a length not in its shortest form, ends the stream.
//
// # Messages
//
// The messages below are fields as package ident writes them: (uvarint tag, uvarint length, value),
// tags ascending, once each, integers 8-byte big-endian, a list as a count and then length and value
// of each item. An unknown odd tag is ignored, an unknown even one refused. That is how the protocols
// grow; what cannot grow so gets a new protocol id. Version says what a node can do.
//
// # The handshake: /claudemesh/hello/1
//
// A libp2p stream on the connection whose meshes are to be proved. Usually the side that dialled
// opens it right after connecting; either may open another later, when it has joined a mesh. Frames
// are at most 8 KiB (MaxHelloFrame), the whole takes at most 10 s. I opens, R answers:
//
//  1. I→R  Hello   nonce(2) 32 bytes i, version(3)
//  2. R→I  Offer   nonce(2) 32 bytes r, version(3), tags(4) list of 32 bytes
//  3. I→R  Proof*  tag(6) 32 bytes, proof(8) bytes                then an empty frame
//  4. R→I  Proof*  tag(6) 32 bytes, proof(8) bytes, sync(9) 0|1   then an empty frame
//
// The tag of a mesh is HMAC-SHA256 under the mesh's tag key of
//
//	dir ‖ i ‖ r ‖ peer id of I ‖ peer id of R        dir is one byte, "r" in step 2 and 4, "i" in step 3
//
// with peer ids as the binary multihash that libp2p proves on that connection. R mixes its tags with
// random ones up to the next multiple of 8, at least 8 and at most 64, in random order. I answers
// only for meshes whose tag it finds; an unknown tag in step 3 ends the stream. R answers only the
// proofs it accepts. Sync asks I to exchange admin logs before the mesh opens; I does so too if it
// finds the need itself.
//
// # Mesh streams: /claudemesh/mesh/1
//
// Every stream of every mesh. The opener writes one frame (at most 2 KiB) and waits:
//
//	Header  tag(6) 32 bytes, protos(10) list of names, best first
//	answer  one byte: the index of the inner protocol taken; 255 when none is served, 254 when the
//	        opener has too many streams
//
// after which the stream belongs to that inner protocol. The tag is
//
//	HMAC-SHA256 under the tag key of "s" ‖ i ‖ r ‖ peer id of I ‖ peer id of R
//
// for the handshake that proved the mesh on this connection. A tag of another connection or mesh, a
// made-up one, and one whose peer is not (or no longer) proved get no answer but the same reset.
// Before a peer is proved the one inner protocol allowed is "log/1", the exchange of admin logs,
// opened by I; other streams wait until it is over.
package wire

// Version is the capability version a node announces in its handshake. It only grows.
//
//	1  first release
const Version = 1
