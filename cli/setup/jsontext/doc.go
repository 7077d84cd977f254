// Package jsontext changes single values in a JSON text and leaves every other byte of
// it as it is: order, blanks, line ends, comments, a byte order mark, keys that occur
// twice. What lives here is the scanner, which notes where each value stands, and the
// edits on top of it. What does not: files, and what is to be written into them.
package jsontext
