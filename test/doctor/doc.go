// Package doctor tests `claudemesh doctor` with the real program: homes in which a fault
// was put by hand are told so, with what to do about it, in time; what
// --fix mends stays mended; and a home in which everything works passes.
//
// Faults of the network are in test/netns, those that cannot be had by hand (a clock, a
// member that lies) in the tests of cli/doctor.
package doctor
