// Package address finds whom a typed target means among the sessions and members of
// a mesh. It is a pure core: it knows no store, no network and no clock.
package address
