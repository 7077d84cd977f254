// Package ledger reads an admin log for people: who is meant by a name, who was
// removed and by whom, what became of the invites, and what striking entries would
// change. Everything is a function of the log. It decides nothing: what counts is
// package trust's to say, and what is written package mesh's.
package ledger
