// Package hook is what happens when an agent calls one of our hooks: the session's
// status is told to the node, what its transcript shows of pushed messages counts as
// seen, and messages that pushing does not bring are handed out. What lives here: how
// what an agent says is read, what follows from each event, and the answer. What does
// not: which hooks are installed (cli/setup), and starting a node, which a hook never
// does.
//
// An agent waits for its hooks: everything has a deadline, and whatever fails, the agent
// sees an empty answer.
package hook
