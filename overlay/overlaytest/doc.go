// Package overlaytest builds networks of real hosts on loopback for tests: a Net of running hosts, a
// Mesh that stands for an admin log with a shared secret and a set of members, cuts between hosts, and
// a Forwarder that delays, stalls or cuts a TCP connection. Nothing here is used outside tests.
package overlaytest
