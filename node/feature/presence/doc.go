// Package presence knows who is there: this node's own agent sessions, with keys,
// names and tokens that survive restarts, and the sessions of other members as
// their nodes' signed beacons tell them. It keeps what sessions say of themselves:
// status, groups, summary, and whether they hide.
//
// A node is never listed, only sessions are. Each mesh also has one hidden session
// for the person at the terminal, so that a command can send and receive without
// appearing as a peer.
//
// Beacons tell who is there now; they are not kept longer than a node runs, but for
// the newest of each member. Session cards tell who there is at all: records of kind
// "card", one per session, written by its member when something of it changes and
// deleted 30 days after its end. A target resolves against both and against the
// members, so that somebody asleep is no unknown name.
//
// It has more lines because all that is known of a session is under one lock and its
// operations' types are here. The cores are apart: package status ranks what is said
// of a session, group knows names of groups, roster the encoding of beacons and who
// came and went, card what cards say and when they are due, address targets, passing
// brings events to those who listen now.
//
// The package resolves what people type into addresses, and groups into members. It
// does not deliver messages and does not know the network: it shouts through [Air],
// keeps cards in [Records], and asks [Meshes] about membership and signatures.
package presence
