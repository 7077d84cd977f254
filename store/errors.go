package store

import (
	"errors"
	"fmt"
)

// Errors of Open.
var (
	// ErrLocked means that another process has the store open.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrNewer means that a newer version of the program wrote the store.
	ErrNewer = errors.New("the store was written by a newer version")
	// ErrBroken means that the file is no store, or a damaged one.
	ErrBroken = errors.New("the store is damaged")
	// ErrConfig means that the Config cannot work; it is a programming error.
	ErrConfig = errors.New("store: invalid configuration")
)

// Errors of an open store.
var (
	// ErrClosed means that the store was closed, or its writer has ended.
	// The operation did not run.
	ErrClosed = errors.New("the store is closed")
	// ErrFailed means that a commit or a sync failed. Whether the operation
	// is on disk is unknown; the process must end and the caller try again.
	ErrFailed = errors.New("the disk failed while writing the store")
	// ErrFull means that the disk has no room. Nothing was stored.
	ErrFull = errors.New("the disk is full; free some space and try again, nothing was stored")
	// ErrRunning means that Run was called twice.
	ErrRunning = errors.New("store: the writer is running already")
)

// Errors of a single operation.
var (
	// ErrReadOnly is returned by a write inside a View.
	ErrReadOnly = errors.New("store: write in a read transaction")
	// ErrName means that a bucket has no name, a reserved one (first byte
	// zero), or the name of a key.
	ErrName = errors.New("store: invalid bucket name")
	// ErrEnded is returned by a Tx or a Bucket used after its function.
	ErrEnded = errors.New("store: transaction is over")
)

// PanicError is the error of an operation that panicked. The store itself
// goes on: nothing of the operation was stored.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the panicking goroutine
}

func (e *PanicError) Error() string { return fmt.Sprintf("store: operation panicked: %v", e.Value) }

// Unwrap gives the error that was panicked with, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// fault reports whether the panic was an access to memory that could not be
// read or written: with a mapped file, a page the disk did not give.
func (e *PanicError) fault() bool {
	_, is := e.Value.(interface{ Addr() uintptr })
	return is
}
