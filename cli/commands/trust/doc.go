// Package trust holds the commands about who may be in a mesh and what each may do:
// promote, demote, kick, ban, unban, bans, void, invites, uninvite; grant, revoke, block,
// unblock, grants, verify; policy; and what came of it all: audit, log.
//
// An invite is made in meshes.
package trust
