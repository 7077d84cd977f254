// Package gossip tells all members of a mesh something at once: one gossipsub router per mesh, over
// proved peers only. Gossip is the fast path: it promises nothing, so whoever uses it has something
// else that repairs a loss. What payloads mean, how they are sealed and signed, and whether one is
// good, its users decide.
//
// The router does not see the libp2p host but a view of it: a host whose only peers are those that
// have proved membership in this mesh, whose streams are mesh streams, and whose event bus tells of
// nothing else. So strangers, and members of other meshes on the same connection, learn of no topic
// and no subscription, and each mesh's router is alone with itself.
//
// A message's id is the SHA-256 of its payload: the same payload shouted twice within two minutes is
// one message. Messages carry no author and no signature of the router's (StrictNoSign). A node's own
// messages go to every neighbour at once; others' along gossipsub's mesh. A neighbour that keeps
// passing on what is rejected is no longer listened to for some seconds.
package gossip
