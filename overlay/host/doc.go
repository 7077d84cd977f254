// Package host is this node on the network: one libp2p host, the mesh handshake on each of its
// connections, and the streams of meshes over those.
//
// It knows nothing of admin logs, members' rights or sealing: it asks the Meshes and Mesh interfaces
// it declares. Finding addresses and deciding whom to dial is package find; the messages of the
// handshake are package wire, which also describes them; what travels inside a stream belongs to
// whoever handles it.
//
// # What a connection goes through
//
// A connection proves a libp2p key and nothing else. Its dialler then runs the handshake: for each
// mesh in common both sides prove membership, bound to this very connection by both peer ids and two
// nonces. Each mesh so proved is a link. A link is
//
//	syncing   proofs are good, but logs differ or one side does not hold the other for a member yet
//	ready     a member by our log; Mesh.Proved is being called
//	open      mesh streams pass
//	dead      the connection ended, the mesh was left, the member removed, or the logs did not help
//
// and each side moves on its own. Streams of a link that is not open on the accepting side yet wait
// there, at most 10 s, so that the two need not move in step. Only the exchange of logs ("log/1",
// opened by the initiator of the handshake) passes before. A peer is proved in a mesh as long as one
// link is open on any of its connections. If a peer keeps refusing streams of a link that we hold for
// open, the link is given up and the handshake run again: that is how both ends find back to one view.
//
// # What strangers see
//
// Identify tells the agent "claudemesh", our addresses, and the protocols /claudemesh/hello/1,
// /claudemesh/mesh/1, those of HandleStranger, libp2p's identify and ping. No mesh id, name, topic or
// inner protocol. A wrong tag, an unproved peer, and one of another mesh get the same reset.
//
// # Limits
//
// Limits holds those that can be set, with their defaults. Fixed: a handshake takes 10 s and 8 KiB per
// frame, two at once on a connection; a mesh stream has 10 s for its header of at most
// 2 KiB; the log exchange before a peer is let in 10 s; at most 4 handshakes of one mesh on one
// connection count; hello has 8 streams per peer and direction (512 in all), mesh 192 (8,192 in all),
// and libp2p's resource manager adds its own (package p2p). Connections are kept alive
// by Yamux (30 s) and QUIC (15 s), and pinged here (Config.PingEvery), so that a dead one is noticed
// after 40 s, and at once when this machine wakes up or its addresses change.
//
// The package has more than 1,000 lines because it is one state machine: connections, their links and
// the links' streams stand under one lock, so that a removal is complete when it returns.
package host
