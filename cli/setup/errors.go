package setup

import "errors"

// Why a file is left as it is.
var (
	// ErrReadOnly: its user does not want it written.
	ErrReadOnly = errors.New("it is read-only")
	// ErrNotFile: it is a folder or something else that holds no settings.
	ErrNotFile = errors.New("it is no file")
	// ErrLarge: it is too large to be settings.
	ErrLarge = errors.New("it has more than 64 MiB")
	// ErrBusy: another program changes it again and again.
	ErrBusy = errors.New("another program keeps changing it")
	// ErrForeign: something of another's stands where ours belongs.
	ErrForeign = errors.New("something else stands there")
	// ErrAgent: there is no such agent.
	ErrAgent = errors.New("no such agent")
)
