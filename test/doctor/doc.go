// Package doctor tests `claudemesh doctor` with the real program: homes in which a fault
// was put by hand are told so, with what to do about it, in time; what
// --fix mends stays mended; and a home in which everything works passes.
//
// Faults of the network are in test/netns. Where a fault is another machine's (a clock
// that differs, a member whose program lies), that is a node inside the test.
package doctor
