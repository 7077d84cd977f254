package seal

import "errors"

var (
	// ErrOpen reports a ciphertext that does not open: another key, another
	// header, or changed on its way. Which of them is not told.
	ErrOpen = errors.New("sealed data does not open")
	// ErrPublic reports bytes that are no HPKE public key of our suite.
	ErrPublic = errors.New("not a valid sealing key")
	// ErrVersion reports epoch-sealed data of a version this program does not know.
	ErrVersion = errors.New("sealed data of an unknown version")
)
