// Package grant is what a member lets each other one do to it, and whose key it has
// compared. Both are the member's own: they stay in this node's store and are told
// nobody. As records they would be on every member's disk, and there somebody who is
// blocked could see that it is; and nobody else needs them, since a member lives at one
// node, which is the one that enforces them.
//
// Everything is keyed by the principal: the key of a member, or of a classic user behind
// a service. Sessions come and go and mean nothing here.
//
// # What a capability means
//
// Each is a rule of this member about one other principal, applied where this node would
// show or take something. None stops replication: what is hidden is stored and passed on
// as ever, and is shown again as soon as the rule changes.
//
//	read         what it says of itself is shown here: summaries, profile, role,
//	             folder, machine, model, and that it comes and goes. Its name, status
//	             and groups are always shown, since they are how one is addressed.
//	dm           its messages to a member or session here are taken.
//	broadcast    its messages to groups and to everybody are taken.
//	state-read   what it wrote to shared state is shown here.
//	state-write  what it writes to shared state counts here. Without it, a key shows
//	             what somebody else wrote last. The mesh's setting says who may write,
//	             by default everybody, so this one need not be granted: it counts until
//	             it is taken by revoke, block or the default none.
//	file-read    it may fetch files that this member shares with it.
//
// What is refused by dm and broadcast is kept where nobody is shown it, and receipted
// as if it waited to be read: the sender sees no difference.
//
// # Verified keys
//
// Two people who have compared the [safety] number of their member keys mark each other
// verified. The mark binds the name to the key: when somebody else is called so later,
// or the name's member is gone and the name is not, there is an [Alarm].
//
// # Layout on the store, in the bucket "grant" / mesh id
//
//	rule/PRINCIPAL  a rule, JSON; 32 bytes of zeros stand for the default
//	verified/KEY    a mark, JSON
//	told/KEY        empty: the alarm about this key was told to sessions
package grant
