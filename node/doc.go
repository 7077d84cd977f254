// Package node is one peer: it opens the store, joins the overlay, the features and
// the local API, and lives until its context ends.
//
// It holds what none of its parts may know of the others: the list of features
// (features.go), the adapters through which they use the network (network.go, air.go,
// remote.go) and each other (roles.go, book.go, grants.go, shared.go), what comes by gossip
// (radio.go, gossip.go, heads.go, hear.go) and the order in which parts start and stop
// (node.go, part.go). What a member is lives in node/mesh, what a session is in
// node/feature/presence, what becomes of a message in node/feature/message.
//
// It has more lines because everything that may know two parts is here and nowhere
// else.
package node
