// Package mesh holds the meshes this node is a member of: their key files, their
// admin logs and epoch keys on disk, the invites it made, joining and leaving, the
// proofs it gives and checks in the handshake, and the bindings and delivery keys
// of the other members.
// The package has more lines because a mesh's disk, log, keys and proofs are one closed thing:
// each change of one must be committed with the others.
//
// It joins overlay/trust (what counts) with the store (what is kept) and is what
// overlay/host, overlay/post and overlay/join ask about a mesh. It knows no session
// and no message, and reaches the network through [Net] alone. Rules: docs/trust.md.
package mesh
