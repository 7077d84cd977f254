// Command manual writes the man pages of all commands of claudemesh into a folder:
// manual FOLDER VERSION.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/claudemesh/claudemesh/cli"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func write(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("type it as manual FOLDER VERSION")
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}
	for name, page := range cli.ManPages(args[1]) {
		if err := os.WriteFile(filepath.Join(args[0], name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return nil
}
