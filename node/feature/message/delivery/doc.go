// Package delivery is the core of durable messages without disks, clocks or
// networks: what becomes of a recipient's row at the sender, what becomes of an
// entry in an inbox, who is offered what and when, in which order, and when a
// letter is sent again. docs/delivery.md sections 2 and 4 are its specification.
//
// Everything here is a function of its arguments, or a small struct that one
// goroutine drives with explicit times. Durations are on the age clock of the
// node (running time, see package message) or on its monotonic clock; this
// package reads neither.
package delivery
