// Package terminal records what a person sees who starts a session in a real terminal
// (tmux), and reads back that the terminal is afterwards as it was before. The recordings
// are in testdata, one per story; with -update they are written anew. It needs tmux.
package terminal
