// Package overview answers questions about a mesh as a whole: what there is in it,
// what its sessions have done, and whether their nodes answer.
//
// It keeps nothing: what it tells comes from the other features, through interfaces
// declared here. The only thing it does itself is a probe: a question another
// member's node answers without showing it to anybody.
package overview
