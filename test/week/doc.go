// Package week lets the presence of several nodes live through a week of virtual
// time: real features on real stores, with a network that loses beacons, nodes that
// are killed and start again, machines that are off for a while, and clocks that
// jump by days. The agents run all the time.
//
// It runs two days; CLAUDEMESH_LONG=1 makes it a week and more nodes. CLAUDEMESH_SEED
// repeats a run: the same things happen at the same times.
package week
