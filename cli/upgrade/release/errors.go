package release

import "errors"

// What can be wrong with a release.
var (
	// ErrForm means that something is not in the form of a release.
	ErrForm = errors.New("this is no release of claudemesh")
	// ErrKey means that a text is no Ed25519 key.
	ErrKey = errors.New("no Ed25519 key")
	// ErrUnsigned means that the list of checksums is not signed by the key.
	ErrUnsigned = errors.New("the release is not signed by the key that this program trusts")
	// ErrSum means that a file is not the one in the list of checksums.
	ErrSum = errors.New("a file of the release is not what its checksum says")
	// ErrNotListed means that the release has no such file.
	ErrNotListed = errors.New("the release has no such file")
)
