// Package e2e tests the program from outside: real processes, real sockets, real
// kill -9, on loopback. It has no code of its own but tests; package harness
// drives the processes.
//
// CLAUDEMESH_SEED=N replays the plan of the random tests, CLAUDEMESH_LONG=1 makes
// them long, CLAUDEMESH_E2E_RACE=1 builds the program with the race detector,
// CLAUDEMESH_BIN takes a program that is built already.
package e2e
