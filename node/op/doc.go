// Package op says what an operation is: one thing a client can ask of a node,
// defined once and offered by every surface.
//
// A [Spec] is the typed contract: name, help, surface names, the right it needs
// and where it runs. [Spec.Bind] gives it a performer, [Spec.Call] is its typed
// client, [Spec.Contract] is its type-erased description from which surfaces make
// tools, commands and reference pages. A [Set] holds bound operations and is a
// [Doer]; so is the client of the local API, so that a caller never knows whether
// the node is in its own process.
//
// The package also holds what surfaces and features share besides operations:
// the [Caller], the error codes ([CodeOf]) and the change feed's vocabulary
// ([Event], [Feed]). It knows no feature, no surface and no network.
package op
