// Package inspect reads the structure of a bbolt file by itself, without
// bbolt, so that a damaged file is an error and never a panic, an endless loop
// or an allocation of whatever size the damage says.
//
// bbolt trusts its file: a page that refers to one above it makes its cursors
// run for ever, a wrong count makes it allocate without bound. [Head] checks
// what opening needs and costs a few reads; [File] reads everything.
//
// What lives here: the format, as of bbolt's version 2. What does not: what
// the keys mean.
package inspect
