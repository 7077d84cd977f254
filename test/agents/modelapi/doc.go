// Package modelapi is a model for tests: a server on loopback that speaks as much
// of the Anthropic Messages API, streaming included, as Claude Code needs, and
// whose answers come from the test.
//
// A [Model] is a function from what the client sent to what the model says: text
// and calls of tools. It sees the whole conversation each time, so that it needs
// no state: [Request.Results] are the answers of the tools so far, [Request.Last]
// is what came in last. Every request is kept, for the test to look at what really
// reached the model ([Server.Await], [Server.Requests]).
//
// The server is also the client's proxy to the rest of the world, and refuses:
// whatever a client tries to reach elsewhere fails at once and is listed by
// [Server.Refused].
//
// The client's side requests (titles, summaries) come to the same Model; what
// tells them apart is that they offer no tools.
package modelapi
