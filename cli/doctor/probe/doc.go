// Package probe asks the machine what a doctor wants to know: which programs there are,
// how long one takes, whether a disk takes writes, whether there is a way out, whether
// multicast comes through, which processes run.
//
// It judges nothing, and each question is a field of [System], so that a test can put
// its own answer in. Nothing here changes anything, except that [System.TryWrite] writes
// a file and removes it; what goes out on the network is one packet to the local group.
package probe
