//go:build !linux

package netns

import "errors"

// LAN is a local network of our own; there is none here.
type LAN struct{}

var errLinux = errors.New("network namespaces need Linux")

// Possible says what keeps networks of our own from being made here.
func Possible() error { return errLinux }

// New fails.
func New(int) (*LAN, error) { return nil, errLinux }

// Enter fails.
func (*LAN) Enter(int) error { return errLinux }

// Leaked fails.
func (*LAN) Leaked() (uint64, error) { return 0, errLinux }

// Close does nothing.
func (*LAN) Close() error { return nil }
