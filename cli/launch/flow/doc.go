// Package flow decides what is still to be asked or done before an agent is started.
//
// A flow is an ordered list of steps over one [Session]. The step that comes next is
// the first that shows and is not complete ([Flow.Next]); no step knows another, so a
// new one is an entry in a list, and an answer that is known beforehand (a flag, what was chosen
// last) skips its step without a special case. Overlays, such as a node that cannot be reached, lie above
// the flow in a stack of their own ([Walk]).
//
// It neither reads keys nor draws: those who do (the packages screen and plain, and
// [Walk.Through], which asks nobody) drive one and the same Walk. What must be known of
// meshes is an interface, [World].
package flow
