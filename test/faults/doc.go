// Package faults has the real program meet what happens to disks, folders and clocks: a
// disk that is full, a folder it may not write to, a store that is damaged, a clock that
// jumps. Each time it says in one sentence what is wrong and in one what to do, loses
// nothing that it acknowledged, and goes on when the condition ends. What a store alone
// does with bad disks is tested in store and test/powercut.
//
// Full disks and other users need root; elsewhere those tests are skipped.
// CLAUDEMESH_LONG=1 keeps the disk full for longer than a node writes nothing by itself,
// and damages every page.
package faults
