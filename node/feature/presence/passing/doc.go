// Package passing brings events to whoever listens now: nothing is kept on disk, and
// somebody who reads too slowly loses the oldest.
package passing
