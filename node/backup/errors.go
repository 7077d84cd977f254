package backup

import "errors"

// Opening a file.
var (
	// ErrFormat: the bytes are no backup file.
	ErrFormat = errors.New("this is no claudemesh backup")
	// ErrPassphrase: the passphrase is not the file's, or the file was changed.
	ErrPassphrase = errors.New("wrong passphrase, or the file was damaged or changed")
)

// Reading the content.
var (
	// ErrContent: what was sealed is neither our content nor a config.json.
	ErrContent = errors.New("the backup holds nothing that can be restored")
	// ErrNewer: a newer version of the program wrote the backup.
	ErrNewer = errors.New("the backup was written by a newer version")
	// ErrTooLarge: the content is larger than MaxContent.
	ErrTooLarge = errors.New("too much for one backup")
)
