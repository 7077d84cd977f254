// Package state is the mesh's shared state: small facts under keys, which every
// member reads from its own node and any member may write, unless the mesh's admins
// have said who may. Of several writers of one key the last one counts, by the clock
// of the records.
//
// A change that has just been made is told to every other session here at once;
// what was changed while this node was away is told in one sentence, when it has
// come in.
//
// The package holds operations, the form of a value and who may write. Signing,
// encryption, replication and the choice of the last writer are package record's.
package state
