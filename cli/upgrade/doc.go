// Package upgrade finds a newer release, and puts it in the place of the program that
// runs.
//
// Everything that is fetched is bounded in size and time and is judged before it is
// used: the list of checksums by the key that was built in, all else by that list (see
// package release below). The new program is written beside the old one, synced,
// started once to see that it runs here, and then renamed; at every moment a whole
// program stands in its place, but on Windows, where a running program must be moved
// away first. The one before is kept, so that one can go back.
//
// It knows no node, no settings and no terminal: what runs and what is said is the
// caller's.
package upgrade
