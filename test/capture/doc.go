// Package capture gathers the packets that pass over the interfaces of a network, as
// somebody does who sits on it, and finds in them what should not be there, in whatever
// form it was written. It needs Linux and the right to open packet sockets. What must
// not be found, its users say.
package capture
