// Package policy decides whether a person's or an agent's request may be performed
// here, by rules that people write: allow it, deny it, or have a person say yes to it.
// It comes before rights and grants and gives nobody any: what it allows can still be
// refused. It knows no operation; which ones change or destroy something is said by
// their contracts.
//
// The rules are in policy.json in the claudemesh folder, mode 0600, and in the file of
// the machine's administrator, whose rules come first and whose mode nobody exceeds:
//
//	{"mode": "write", "rules": [{"operation": "mesh.*", "mesh": "team", "decision": "deny"}]}
//
// The first rule that matches decides. An operation is an id, a pattern as in mesh.*,
// "@changes" for all that change something or "@destroys" for those after which
// something is gone; a mesh is a name or an id, none means every mesh. After them come
// rules of the program: removing members, striking entries and changing this policy
// need a yes. Everything else is allowed.
//
// Modes: plan and read-only deny whatever changes something, plan saying what it would
// have been; write goes by the rules; yolo takes every prompt for a yes. A request that
// only looks is never asked about. Changing the policy is neither bound by modes nor by
// patterns, so that there is a way back; it always needs a yes. Where no person can be asked, a prompt is a no. A
// file that cannot be read denies all that changes something.
package policy
