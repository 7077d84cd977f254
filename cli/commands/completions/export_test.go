package completions

import "github.com/spf13/cobra"

// Placeholders are what the usage of a command calls for, word by word.
func Placeholders(cmd *cobra.Command) (out [][]string) {
	for _, p := range placesOf(cmd) {
		out = append(out, p.names)
	}
	return out
}

// Completed tells whether there is something to choose from for a placeholder.
func Completed(name string) bool { return sources[name] != nil }
