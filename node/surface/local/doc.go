// Package local is the node's API for programs of the same user on the same
// machine: HTTP/1.1 over a Unix socket, and its client. The command line and the
// MCP process reach the node through it and in no other way.
//
// # Protocol
//
// Every request goes to the socket that [SocketPath] names for a claudemesh
// folder. A request with the header Claudemesh-Session (64 lower-case hex digits)
// speaks for the session that has this token; one without speaks for the person at
// the machine. A token that is not known is denied, never taken for the person.
//
//	POST /v1/op/{id}      body: the request of operation id as JSON, at most
//	                      op.MaxRequest bytes; empty means {}.
//	                      200: the response as JSON.
//	GET /v1/feed?cursor=  200: lines of JSON, each an op.Event, until either side
//	                      ends it. A line with topic "heartbeat" comes at once and
//	                      then every 15 s. The last line may be {"error":…} instead.
//	                      While it runs, the caller's session is attached.
//	GET /v1/hello         200: a [Hello]. It needs no session and answers while the
//	                      node is still starting.
//
// A failure is {"error":{"code","message","hint"}} with the HTTP status of the
// code (see status.go). Unknown paths are such failures too. Unknown fields in
// answers are to be ignored; requests are checked strictly by the operation.
//
// # Who may connect
//
// The socket has mode 0600 and lies in a folder that belongs to the user and that
// nobody else may write to. Both sides check the other's user id (SO_PEERCRED on
// Linux, LOCAL_PEERCRED on macOS) and hang up on anybody else. Windows has no such
// check: there the access list of the folder, which is inside the user's profile,
// keeps others out. A browser cannot open a Unix socket; a request with an Origin
// header is refused all the same.
//
// A second server on the same socket is refused ([ErrRunning]): the server holds a
// lock file beside the socket for its life, and it replaces a socket file only
// after a connection to it was refused.
//
// The package knows operations and the feed's vocabulary only. What they do, who a
// token belongs to and when the node is ready is handed in.
package local
