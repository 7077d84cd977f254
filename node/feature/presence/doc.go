// Package presence knows who is there: this node's own agent sessions, with keys,
// names and tokens that survive restarts, and the sessions of other members as
// their nodes' signed beacons tell them.
//
// A node is never listed, only sessions are. Each mesh also has one hidden session
// for the person at the terminal, so that a command can send and receive without
// appearing as a peer.
//
// It has more lines because its operations' types are here; the encoding and the
// states of others' sessions are in package roster, targets in package address.
//
// The package resolves what people type into addresses. It does not deliver
// messages and does not know the network: it shouts through [Air] and asks
// [Meshes] about membership and signatures.
package presence
