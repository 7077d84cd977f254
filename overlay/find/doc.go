// Package find connects this node with the peers it should know: it keeps dialling those it is told to
// keep, with back-off, and tries once those that turn up on the local network. Which peers to keep, and
// at which addresses (from an invite, remembered, from beacons), its user says by Want; it remembers
// nothing itself. Whether a peer is a member of anything, package host finds out once connected.
//
// # Dialling
//
// All addresses of a peer are dialled at once (package host ranks them) and the first to work wins. A
// peer is dialled by one goroutine at a time, at most Config.Parallel peers at once. After a failure it
// waits 1, 2, 4 … 60 seconds, give or take a quarter, but 10 at most within five minutes of losing it; a
// new address, a change of our own network, or Wake makes it try at once, and ends a dial that has gone
// on for 250 ms without a connection. A connection that lasted less than five seconds counts as a
// failure. When two nodes learn of each other at the same moment, the one with the higher peer id lets
// the other go first for 30 ms.
//
// # The local network
//
// MDNS announces this node's peer id and addresses under one service name, the same for every node and
// mesh, and hears others do so. What it finds is a hint: addresses on loopback or outside the subnets
// this machine is in are dropped before dialling, and once a dial has worked, or four have failed, the
// peer is left alone for ten minutes.
package find
