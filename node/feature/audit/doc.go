// Package audit is the account of who did what. There are two kinds of chains, both in
// the format of the package chain below this one.
//
// A member's chain has what that member changed about who is in the mesh and what they
// may do: its entries in the admin log, one by one, as shared records of the kind
// "audit" under the key "<member key>/<number>". They are never changed, deleted or
// trimmed, and every node has them all, so that nobody can take one back: who rewrites
// a record shows different hashes to those who saw the first one. What is to be in a
// chain follows from the admin log, hence nothing acknowledged can be missing from it
// for longer than it takes to write it.
//
// The node's own chain stays on this machine, in the bucket "audit":
//
//	local/row/I      an entry, canonical JSON; I in 8 bytes, big-endian
//	local/head       number and hash of the last entry, 8 + 32 bytes
//	local/anchor     the same of the last entry that was dropped for its age
//	seen/MESH/MEMBER I     hash of the entry first seen under that key, 32 bytes
//	forked/MESH/MEMBER I   empty: later another one was seen there
//	refusal/MESH MEMBER REASON  how often something was refused for that reason, when
//	                            first, when last: 3 × 8 bytes; zeros for nobody known
//
// It has messages sent (ids, targets and priorities, never a text), what other members
// changed, as it was taken over, both in the commit that they belong to; and
// connections, arrivals, messages received, refusals and decisions of the policy,
// gathered for a moment and written together.
//
// What happens at the node is the node's own chain with the own members' chains:
// audit.log follows them.
//
// The package has more lines than most because what writes the two kinds of chains and
// what reads them, at once, page by page or as they grow, have to agree.
package audit
