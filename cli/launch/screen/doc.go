// Package screen shows a flow full-screen, on a terminal that can do so.
//
// The model turns keys into answers and draws what a [flow.Walk] says; which question
// comes next is not decided here. All colours and marks are those of palette.go. The
// terminal is asked nothing: neither its colours nor its abilities, since some answer
// late or never, and a late answer would reach the program that comes next.
//
// The line that is typed into is a small one of our own: the one of the bubbles library
// looks for clipboard programs in every folder of PATH whenever the program starts, in
// every command.
package screen
