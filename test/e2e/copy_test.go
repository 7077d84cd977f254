package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// copyFolder copies folders and plain files and syncs all of them; sockets are
// left out.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch at := filepath.Join(to, name); {
		case d.IsDir():
			return errors.Join(os.MkdirAll(at, 0o700), durable(filepath.Dir(at)))
		case d.Type().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(at, text, 0o600), durable(at), durable(filepath.Dir(at)))
		}
		return nil
	})
}

// durable makes a file, or the names in a folder, durable.
func durable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
