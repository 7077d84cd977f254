// Package meshes holds the commands about meshes: new, invite and its spoken codes,
// join, list, rename, leave, delete; who is in one (members) and what it is like (info,
// stats, ping); and open-link, by which a desktop joins.
//
// Who may do what in a mesh is in trust, what its members share in state.
package meshes
