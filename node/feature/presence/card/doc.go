// Package card is what the lasting record of a session says, and when it is due: its form,
// its limits, the session's consent in it, and which cards of a node are to be written
// and deleted. It is a pure core: no I/O, no clock, no keys kept. Who writes cards and who
// is shown by them is the business of presence.
package card
