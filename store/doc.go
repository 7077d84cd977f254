// Package store is what a machine remembers: one bbolt file with group commit,
// a durable feed of changes, schema migrations and the refusals that keep all
// of that true.
//
// It has more lines than most packages because group commit, feed, buckets and
// format work in the same transaction and would only call through each other.
// What can be known of a file without a transaction is in store/inspect.
//
// What lives here: opening (creation, lock, format, copies before a
// migration), transactions, buckets, the feed. What does not: what the keys
// mean. Whoever owns a bucket owns its keys; this package knows no feature.
//
// # Group commit
//
// One goroutine, [DB.Run], writes. It takes whatever is queued, at most 1,000
// operations or 4 MiB of what they wrote, without waiting for more, runs them
// in order inside one bbolt transaction and commits it. An operation that
// fails is left out; if it had written before it failed, the transaction is
// rolled back and the others run again. So an operation may run more than
// once: it must have no effects outside its [Tx], and hands what must happen
// afterwards to [Tx.OnCommit].
//
// [DB.Update] returns after the synced commit, never before. That also holds
// for an operation's error: it may have been caused by another operation of
// the same commit, so it is answered only when that one is on disk.
//
// # What a reader sees
//
// bbolt shows a commit to readers between writing its meta page and syncing
// it, and goes on showing it when that sync fails. [DB.View] waits for the
// sync in that moment, so what it shows is on disk.
//
// # What is fatal
//
// A commit that fails is fatal, because its outcome is unknown: nobody in it
// is answered with success, every later read and write is refused with
// [ErrFailed], and Config.Fatal is called so that the process ends. A retry
// after the restart must be idempotent. One case is not fatal: the disk is
// full and the commit's meta page was never written. Then the commit certainly
// did not happen, everything before it stands, the operations get [ErrFull]
// and the store goes on.
//
// What cannot be known from inside: after a failed sync the kernel may hold
// pages in memory that the disk has not. A process started afterwards on the
// same running kernel reads those. That is a failing disk; the log says so.
//
// # Deadlocks to avoid
//
// Inside an operation, a View or an OnCommit callback call neither Update nor
// View: the writer would wait for itself, or for the reader it waits for. Keep
// Views short: the file can only be mapped anew when none is open.
package store
