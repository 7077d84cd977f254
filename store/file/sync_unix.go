//go:build unix

package file

import (
	"errors"
	"os"
)

// SyncDir makes renames and removals in a folder durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
