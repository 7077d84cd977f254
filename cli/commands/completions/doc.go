// Package completions completes commands, flags and values in a shell: the script for
// each shell, and what there is to choose from, as the usage of a command names it.
package completions
