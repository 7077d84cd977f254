package local

import "errors"

// Errors of starting to listen.
var (
	// ErrRunning means that another node lives on the socket.
	ErrRunning = errors.New("a node is already running")
	// ErrNotPrivate means that others could replace the socket in its folder.
	ErrNotPrivate = errors.New("the folder of the socket is not private")
	// ErrNotSocket means that something else lies at the socket's path.
	ErrNotSocket = errors.New("there is a file in the place of the socket")
	// ErrPath means that the path is longer than a socket's path may be.
	ErrPath = errors.New("the path of the socket is too long")
)

// errForeign means that the other side of a connection is another user.
var errForeign = errors.New("the other side belongs to another user")
