// Package people holds the commands about who is there and what they show of
// themselves: peers, whoami, summary, visible, group, profile, and status set.
//
// Members of a mesh, with a session or without, are in meshes; what a peer may do is in
// trust.
package people
