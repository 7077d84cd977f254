// Package roster is what beacons say and what is made of them: their encoding, and
// which sessions of a mesh are online, away or offline. It is a pure core: no I/O, no
// clock, no keys. Whoever uses it checks signatures and gives the time.
package roster
