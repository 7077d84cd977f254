// Package p2p is libp2p as this project uses it: which transports, limits and connections, how a stream
// is opened on one certain connection, ping, and token buckets. It keeps no state between calls and
// knows nothing of meshes; what a connection is good for is package host's business.
package p2p
