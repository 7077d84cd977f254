// Package netns tests the program on a network of its own, made of Linux network
// namespaces: two machines on one bridge, and a router that is everybody's default
// route and whose own way out, the sink, leads nowhere and counts. What stays on
// the local network does not reach the sink; a packet for anybody else does.
//
// Nothing of the host's network is used or changed, and nothing has a name: the
// namespaces are held by file descriptors and end with the test's process and the
// processes in them, whatever happens.
//
// It needs root and ip(8). Elsewhere the tests are skipped with that reason, or
// fail if CLAUDEMESH_REQUIRE_NETNS=1. CLAUDEMESH_LONG=1 makes 20 runs of what is
// measured instead of 3, and has machines sleep, and lose the network, for minutes. CLAUDEMESH_BIN takes a program that is built already.
package netns
