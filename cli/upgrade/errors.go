package upgrade

import "errors"

// While looking for a release and fetching it. What is wrong with one stands in
// package release.
var (
	// ErrUnreachable means that the address did not answer, or broke off.
	ErrUnreachable = errors.New("the address of the releases cannot be reached")
	// ErrNone means that it answers and has no release.
	ErrNone = errors.New("there is no release at that address")
	// ErrTooLarge means that a file is larger than it may be.
	ErrTooLarge = errors.New("a file of the release is too large")
)

// While putting a program in place. Nothing has changed then.
var (
	// ErrPlace means that the folder of the program cannot be written to.
	ErrPlace = errors.New("the program cannot be replaced where it is")
	// ErrManaged means that a package manager put the program there.
	ErrManaged = errors.New("a package manager keeps this program")
	// ErrBroken means that the new program does not run on this machine.
	ErrBroken = errors.New("the new program does not run here")
	// ErrNoPrevious means that no earlier program was kept.
	ErrNoPrevious = errors.New("no earlier program was kept")
)
