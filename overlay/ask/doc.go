// Package ask is the verb *ask*: it calls an operation at another member's home
// and waits for the answer. It knows nothing of operations: a name, bytes in,
// bytes out, or an error with a code, a sentence and what to do next. Package
// host opens the streams; what may be asked and by whom the answering node
// decides, which knows the asking member for certain.
//
// # The stream "ask/1"
//
// One request and one answer per stream, in frames of package wire. The whole
// takes at most 30 s (Timeout).
//
//	asker:    head(fields: 2 operation)          body, at most 1 MiB
//	answerer: head(fields: 2 code, 4 message, 6 hint)   body, at most 1 MiB
//
// Heads are fields in package ident's encoding, at most 4 KiB; the operation is
// at most 64 bytes of printable ASCII. An empty code means that it worked;
// otherwise the body is empty. Nothing is sealed beyond the connection, which
// both members have proved to be theirs, and nothing is repeated: after an error
// that is no *Error the operation may have run or not.
package ask
