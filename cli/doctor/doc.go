// Package doctor finds out whether everything works: the program, its folder, keys and
// store, the node, the network, the meshes, and what coding agents know of claudemesh.
//
// A check is a small function over an [Env], one file per subject; checks.go has the
// table of all. It names what is wrong and what to do about it, and where it can be put
// right without harm, with [Options.Fix], it does that and says what it did. Checks run
// side by side, each with a time limit of its own, so that a node that hangs costs no
// more than that.
//
// What it asks of the machine lives in probe below, what of the settings of agents in
// cli/setup. It has more lines than most packages because every check has its few lines
// here. It prints nothing.
package doctor
