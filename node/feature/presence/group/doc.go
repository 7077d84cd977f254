// Package group is what groups are: their names, which lie in each other like
// folders, and which of them a target means. It is a pure core; who is in a group
// is known to package presence.
package group
