// Command bench measures what claudemesh promises about its speed, each figure
// beside its floor in the same run, and says how far from its goal each is:
//
//	make bench
//	go run ./test/bench -only post -times 5000
//
// A floor is what the same machine needs for the same thing without us: a bare
// libp2p stream, a bare synced commit, a bare libp2p host, bare gossipsub. Floor and figure are
// measured in turn, so that both see the same disk and the same load; so it is the
// ratio that means something, and not the time. F is one round trip on an open
// libp2p stream (TCP, Noise, 512 bytes) plus one synced commit of 512 bytes to a
// store of ours, one after the other.
//
// Each figure is printed as a line in Go's benchmark format once it is measured,
// then all as a table. Missing a goal is no failure: the program fails only if
// something cannot be measured. Everything lies in a temporary folder and listens
// on loopback, but for the first message, which has a network of its own where one
// can be made.
package main
