// Package policy holds the tests that keep the code in the shape the project chose:
// the floors (which package may import which), the catalogue of operations, and the
// habits that a reader relies on. Nothing but tests lives here, and its message
// says where the code belongs instead.
package policy
